//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Who holds which socket now, with its SO_LINGER and its connection: one iterator
 * over all descriptors of all processes, for the list of open connections. It is a
 * separate object, so that a list loads nothing of the trace.
 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "sockets.h"

char __license[] SEC("license") = "Dual BSD/GPL";

/*
 * sk_getsockopt(SO_LINGER) and do_tcp_getsockopt(TCP_LINGER2), in jiffies: the
 * socket is not locked, as there.
 */
static __always_inline void read_options(struct holding *h, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;
	__u64 flags = BPF_CORE_READ(sk, __sk_common.skc_flags);

	h->tcp = true;
	h->repair = BPF_CORE_READ_BITFIELD_PROBED(tp, repair);
	h->linger = flags >> bpf_core_enum_value(enum sock_flags, SOCK_LINGER) & 1;
	h->lingertime = BPF_CORE_READ(sk, sk_lingertime);
	h->linger2 = BPF_CORE_READ(tp, linger2) ?:
		     BPF_CORE_READ(sk, __sk_common.skc_net.net, ipv4.sysctl_tcp_fin_timeout);
}

/*
 * How long the kernel waits for a silent peer: keepalive_probes() and
 * keepalive_intvl_when() in include/net/tcp.h, tcp_write_timeout() and tcp_probe_timer()
 * in net/ipv4/tcp_timer.c. The sysctls were int until 5.13; the first byte has the value.
 */
static __always_inline void read_limits(struct holding *h, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;
	struct inet_connection_sock *icsk = (void *)sk;
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	__u32 probed;

	h->retries2 = BPF_CORE_READ(net, ipv4.sysctl_tcp_retries2);
	h->keepalive_probes = BPF_CORE_READ(tp, keepalive_probes) ?:
			      BPF_CORE_READ(net, ipv4.sysctl_tcp_keepalive_probes);
	h->keepalive_interval = BPF_CORE_READ(tp, keepalive_intvl) ?:
				BPF_CORE_READ(net, ipv4.sysctl_tcp_keepalive_intvl);
	h->silent = (__u32)bpf_jiffies64() - BPF_CORE_READ(tp, rcv_tstamp);
	h->user_timeout = BPF_CORE_READ(icsk, icsk_user_timeout);
	h->syn_retries = BPF_CORE_READ(icsk, icsk_syn_retries) ?:
			 BPF_CORE_READ(net, ipv4.sysctl_tcp_syn_retries);
	if (bpf_core_field_exists(net->ipv4.sysctl_tcp_syn_linear_timeouts))
		h->syn_linear = BPF_CORE_READ(net, ipv4.sysctl_tcp_syn_linear_timeouts);
	if (bpf_core_field_exists(icsk->icsk_rto_max))
		h->rto_max = BPF_CORE_READ(icsk, icsk_rto_max);
	if (bpf_core_field_exists(icsk->icsk_probes_tstamp)) {
		probed = BPF_CORE_READ(icsk, icsk_probes_tstamp);
		h->probing = probed ? (__u32)bpf_jiffies64() - probed : 0;
	}
}

struct sock_common___cookie {
	atomic64_t skc_cookie;
} __attribute__((preserve_access_index));

/* What inet_diag_msg_common_fill() and tcp_diag_get_info() report of a connection. */
static __always_inline void read_connection(struct holding *h, struct sock *sk, __u16 family)
{
	struct sock_common___cookie *common = (void *)sk;
	struct tcp_sock *tp = (void *)sk;

	h->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	h->family = family;
	h->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	h->cookie = BPF_CORE_READ(common, skc_cookie.counter);
	h->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	h->peer_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	h->receive = BPF_CORE_READ(tp, rcv_nxt) - BPF_CORE_READ(tp, copied_seq);
	h->send = BPF_CORE_READ(tp, write_seq) - BPF_CORE_READ(tp, snd_una);
	h->unsent = BPF_CORE_READ(tp, write_seq) - BPF_CORE_READ(tp, snd_nxt);
	h->retransmits = BPF_CORE_READ(tp, total_retrans);
	if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&h->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&h->peer, sk, __sk_common.skc_v6_daddr);
		return;
	}
	bpf_core_read(h->local, 4, &sk->__sk_common.skc_rcv_saddr);
	bpf_core_read(h->peer, 4, &sk->__sk_common.skc_daddr);
}

/* A function of its own, so that the object's BTF has the type for bpf2go. */
static __noinline void read_process(struct holding *h, struct task_struct *leader)
{
	h->start = BPF_CORE_READ(leader, start_boottime);
	h->cgroup = BPF_CORE_READ(leader, cgroups, dfl_cgrp, kn, id);
	h->tgid = BPF_CORE_READ(leader, tgid);
	h->uid = BPF_CORE_READ(leader, cred, uid.val);
	bpf_core_read(h->comm, sizeof(h->comm), &leader->comm);
}

/*
 * bpf_seq_read() > task_file_seq_get_next(): the kernel holds the file, so that
 * it and its socket stay. Since 5.8; before 5.11 a table that threads share comes
 * once for each of them (203d7b054fc7).
 */
SEC("iter/task_file")
int holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct file *file = ctx->file;
	struct socket *socket;
	struct holding h;
	struct sock *sk;
	__u16 family, protocol;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	if (!socket || BPF_CORE_READ(socket, file) != file)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	leader = BPF_CORE_READ(task, group_leader);
	if (task != leader && BPF_CORE_READ(task, files) == BPF_CORE_READ(leader, files))
		return 0;
	__builtin_memset(&h, 0, sizeof(h));
	read_process(&h, leader);
	h.inode = BPF_CORE_READ(file, f_inode, i_ino);
	h.descriptor = ctx->fd;
	protocol = BPF_CORE_READ(sk, sk_protocol);
	h.mptcp = protocol == IPPROTO_MPTCP;
	if (protocol == IPPROTO_TCP) {
		read_options(&h, sk);
		read_limits(&h, sk);
		read_connection(&h, sk, family);
	}
	bpf_seq_write(ctx->meta->seq, &h, sizeof(h));
	return 0;
}
