/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the iterator over descriptors reports; bpf2go makes the Go type from it. */
#pragma once

/* One descriptor that refers to an IPv4 or IPv6 socket. */
struct holding {
	__u64 start;  /* start_boottime of the process, ns */
	__u64 cgroup; /* id of its cgroup v2 */
	__u64 inode;  /* of the socket */
	__u64 lingertime; /* jiffies */
	__u32 tgid;
	__u32 uid;
	__u32 descriptor;
	__s32 linger2; /* jiffies; negative: FIN_WAIT2 is not waited for */
	__u8 comm[16]; /* of the thread group's leader */
	__u8 tcp;      /* the options are those of TCP, and known */
	__u8 linger;   /* SO_LINGER is on */
	__u8 repair;   /* TCP_REPAIR: close() sends nothing */
	__u8 mptcp;    /* of MPTCP, which closes its subflows by rules of its own */
	__u8 state;    /* of TCP, as what follows */
	__u8 family;
	__u16 local_port; /* host order */
	__u16 peer_port;  /* network order */
	__u8 retries2;    /* of the namespace: tcp_retries2 */
	__u8 keepalive_probes; /* how many may be unanswered */
	__u32 netns;      /* inode of the network namespace */
	__u32 receive;    /* queues, as inet_diag counts them */
	__u32 send;
	__u32 unsent;
	__u32 retransmits;
	__u64 cookie;     /* 0: not asked for yet */
	__u8 local[16];   /* IPv4 in the first 4 bytes */
	__u8 peer[16];
	__u32 keepalive_interval; /* jiffies */
	__u32 user_timeout;       /* ms; 0: none */
	__u32 silent;             /* jiffies since a segment came last */
	__u32 rto_max;            /* jiffies; 0: this kernel has one for all sockets */
	__u32 probing;            /* jiffies since the first probe of a closed window; 0: none */
	__u8 syn_retries;         /* TCP_SYNCNT, or tcp_syn_retries of the namespace */
	__u8 syn_linear;          /* of the namespace: tcp_syn_linear_timeouts */
	__u8 pad[2];
};

_Static_assert(sizeof(struct holding) == 160, "struct holding has no implicit padding");
