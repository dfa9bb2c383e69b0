/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What leaves the kernel. bpf2go makes the Go types from these; package tracer
 * gives the fields their meaning.
 */
#pragma once

enum message {
	MESSAGE_END = 1,      /* struct end: a connection end */
	MESSAGE_LINGER,       /* struct end: close() waits for SO_LINGER */
	MESSAGE_LEFT,         /* struct end: that wait's FIN was acknowledged */
	MESSAGE_RETURNED,     /* struct later: tcp_close() returned (fentry, kprobe) */
	MESSAGE_RESET_SENT,   /* struct later: own RST after an end */
	MESSAGE_RESET_REPLY,  /* struct later: RST in answer to a segment after an end */
	MESSAGE_RESET_TW,     /* struct later: the same from TIME_WAIT; has the tuple */
	MESSAGE_CLOSED,       /* struct later: the descriptor of an ended socket was closed */
	MESSAGE_RESET_GOT_TW, /* struct later: a RST ended our FIN_WAIT2 minisock; has the tuple */
	MESSAGE_STRAY,        /* struct later: RST for a segment of no socket; has the tuple */
};

enum flag {
	FLAG_ACTIVE = 1 << 0,      /* connect() */
	FLAG_PASSIVE = 1 << 1,     /* from a listener */
	FLAG_PREEXISTING = 1 << 2, /* older than the trace */
	FLAG_UNTRACKED = 1 << 3,   /* the table was full: nothing before the end is known */
	FLAG_OWNED = 1 << 4,       /* at the end: sk_lock.owned */
	FLAG_DEAD = 1 << 5,        /* at the end: SOCK_DEAD */
	FLAG_DONE = 1 << 6,        /* at the end: SOCK_DONE, the peer's FIN came */
	FLAG_KEEPALIVE = 1 << 7,
	FLAG_WINDOW_OPEN = 1 << 8, /* at the end: the peer had room for what was not sent */
	FLAG_RST_HERE = 1 << 9,    /* this host made the reset received */
	FLAG_NO_PORT = 1 << 10,    /* connect() found no free local port */
	FLAG_LEFT = 1 << 11,       /* a wait's FIN was acknowledged, or the socket ended */
	FLAG_LEFT_DEAD = 1 << 12,
	FLAG_LEFT_OWNED = 1 << 13,
	FLAG_RST_RECEIVED = 1 << 14,    /* tcp_receive_reset in a live state */
	FLAG_RST_SENT_BEFORE = 1 << 15, /* tcp_send_reset, skb NULL, in a live state */
	FLAG_RST_SENT_AFTER = 1 << 16,  /* the same in CLOSE */
	FLAG_RST_REPLY_AFTER = 1 << 17, /* tcp_send_reset with skb, in CLOSE */
	FLAG_RST_FLAG_SEEN = 1 << 18,   /* tcp_reset's segment was looked at */
	FLAG_RST_FLAG_SET = 1 << 19,    /* and had the RST flag */
	FLAG_RST_TRIED = 1 << 20,       /* tcp_send_active_reset in a live state */
	FLAG_REPAIR = 1 << 21,
	FLAG_MPTCP = 1 << 22,
	FLAG_ENDED = 1 << 23,   /* reached CLOSE */
	FLAG_EMITTED = 1 << 24, /* MESSAGE_END was sent */
	FLAG_TUPLE = 1 << 25,   /* addresses and ports are complete */
	FLAG_TW_FULL = 1 << 26, /* at the end: there are as many TIME_WAITs as may be */
	FLAG_FIN_UNSENT = 1 << 27, /* at the end: our FIN was still queued */
	FLAG_FIN_ACKED = 1 << 28,  /* at the end: nothing of ours was unacknowledged */
	FLAG_WAITING = 1 << 29,    /* MESSAGE_LINGER was sent */
	FLAG_NESTED = 1 << 30, /* in a network namespace of a user namespace: anybody can make one */
};

/* What decides, beside the state, what close() does; the values are those of model.CloseMarks. */
enum close_mark {
	CLOSE_REPAIR = 1 << 0,
	CLOSE_UNREAD = 1 << 1,
	CLOSE_LINGER_ZERO = 1 << 2,
	CLOSE_LINGERS = 1 << 3,
	CLOSE_NO_FIN_WAIT = 1 << 4,
	CLOSE_MARKS = 1 << 5, /* the number of combinations */
};

/* What close() does, as far as the programs need to know; package tracer has the values, too. */
enum close_effect {
	CLOSE_PASSES, /* it returns, and the connection goes on */
	CLOSE_ABORTS, /* it ends the connection */
	CLOSE_WAITS,  /* it waits for SO_LINGER */
};

/* What still refers to the socket; the values are those of model.Holder. */
enum holder {
	HOLDER_NONE = 1, /* no sk_socket */
	HOLDER_CLOSING,  /* the last reference to the file is gone */
	HOLDER_OPEN,
	HOLDER_KERNEL, /* no file */
};

/* Who; the values are those of model.OwnerSource. */
enum source {
	SOURCE_NONE,
	SOURCE_CONNECT,
	SOURCE_ACCEPT,
	SOURCE_USE,
	SOURCE_LISTENER,
	SOURCE_ITERATOR,
	SOURCE_CLOSER,
	SOURCE_FORK = 8,
};

/* The values are those of model.Call. */
enum call {
	CALL_NONE,
	CALL_CLOSE,
	CALL_SHUTDOWN,
	CALL_EXIT,
	CALL_DISCONNECT,
	CALL_DESTROY,
};

struct owner {
	__u64 start;  /* task start_boottime, ns */
	__u64 cgroup; /* id of the cgroup v2 */
	__u32 tgid;
	__u32 uid;
	__u8 comm[16]; /* of the thread group's leader */
	__u64 execs;   /* how often the slot of tgid had counted an exec, see maps.h */
};

struct closer {
	__u32 tgid;
	__u32 tid;
	__u8 comm[16]; /* of the thread; on exit of the leader */
};

/*
 * A connection while it lives (value of the map conns) and the message of its
 * end. Times are CLOCK_MONOTONIC in ns, 0 is unknown; the *_us count from
 * close_began.
 */
struct end {
	enum message message;
	__u32 lost; /* losses so far, so that a gap around this end is visible */
	__u64 sock; /* address of struct sock: identity until it is freed */
	__u64 started;
	__u64 first_fin;
	__u64 close_began;
	__u64 ended;
	__u64 path; /* states, 4 bits each, oldest highest */
	__u64 bytes_acked;
	__u64 bytes_received;
	__u64 bytes_sent; /* payload, retransmissions included */
	__u64 bytes_retrans;
	__u64 quiet; /* when the ages below were read: the beginning of the end */
	struct owner owner;
	struct closer closer;
	__u8 local[16];
	__u8 peer[16];
	__u16 local_port; /* host byte order */
	__u16 peer_port;
	__u32 netns;
	enum flag flags;
	__u32 lingertime; /* jiffies, saturated */
	__u32 left_us;
	__u32 waiting_us;
	__u32 orphaned_us;
	__u32 returned_us;
	__u32 unacked;
	__u32 unsent;
	__u32 unread;
	__u32 srtt_us; /* as tcp_sock has it: 8 * microseconds */
	__u32 retransmits;
	__u32 user_timeout; /* milliseconds */
	__s32 linger2;      /* jiffies */
	__u32 sent_age;     /* jiffies since data was last sent, retransmissions included */
	__u32 received_age; /* jiffies since data was last received */
	__u32 stalled_ms;   /* since the first retransmission of what is not acknowledged */
	__u32 unacked_ms;   /* how long the oldest unacknowledged segment had waited at the end */
	__u32 segs_in;
	__u32 segs_out;
	__u32 delivered; /* segments with data that the peer acknowledged */
	__u32 mss;
	__u32 pmtu;
	__u32 busy; /* jiffies; without those of the next two */
	__u32 receiver_limited;
	__u32 sender_limited;
	__u32 snd_una;
	__u32 rcv_nxt;
	__u32 peer_window; /* snd_wnd, bytes */
	__u8 error;
	__u8 soft_error;
	__u8 reason;
	__u8 shutdown;
	__u8 timer_retransmits;
	__u8 timer_probes;
	__u8 holder;
	__u8 source;
	__u8 call; /* 0 with a closer: a call that ends in tcp_disconnect; which one is not known */
	__u8 signal;
	__u8 family;
	__u8 last; /* state left for CLOSE */
	/*
	 * Written before the socket is locked, while another processor may set
	 * flags: bytes of their own, so that neither is lost.
	 */
	__u8 linger;    /* SOCK_LINGER when close() began, or at the end */
	__u8 lingering; /* close() waits */
	__u8 skipped;   /* it does not, although SOCK_LINGER says so */
	__u8 returned;  /* returned_us is set */
	__u8 reported;  /* the last error reported to the application while open */
	__u8 last_word; /* 1: this end sent something after the peer's last data; SENT_SINCE */
	__u16 icmp; /* type and code of an ICMP error about the SYN */
	__u8 syn_data; /* data in the SYN was acknowledged */
	__u8 counted;  /* as an ordinary end, before it was sent: see ordinary.h */
	/*
	 * Until the end the lower half of lrcvtime when the end began; then how many jiffies
	 * later data came, modulo 65536; 0: none came.
	 */
	__u16 late_data;
	__u32 acceptor; /* who accepted, if owner is a child that it forked for the connection */
	__u8 acceptor_comm[16];
	__u32 tenant; /* the slot in which the entry is counted */
};

struct later {
	enum message message;
	__u32 lost;
	__u64 sock;
	__u64 time;
	struct closer closer;
	__u8 local[16];
	__u8 peer[16];
	__u16 local_port;
	__u16 peer_port;
	__u32 netns;
	__u32 unread;
	__u32 returned_us;
	__u8 reason;
	__u8 family;
	__u8 call;
	__u8 signal;
	__u8 segment;   /* TCP flags of what was answered */
	__u8 listening; /* a listener answered */
	__u8 unsure;    /* it may be about an end that was only counted, see tell */
	__u8 nested;    /* a stray RST of a network namespace that anybody can make, see FLAG_NESTED */
};

_Static_assert(sizeof(struct end) == 368, "struct end has no implicit padding");
_Static_assert(sizeof(struct later) == 104, "struct later has no implicit padding");
