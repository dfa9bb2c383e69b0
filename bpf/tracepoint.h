/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What tracepoint mode adds to the core: no kprobe and no trampoline needed. */
#pragma once

/*
 * inet_release(), in process context, at the last close of every user socket,
 * before the protocol's close: the exact beginning of close(), with all values.
 * Needs a cgroup v2 mount. Since 5.9.
 */
SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *ctx)
{
	struct sock *sk = (void *)ctx;
	struct tcp_sock *tp = (void *)ctx;
	__u8 state = ctx->state;
	struct end *conn;

	if (ctx->protocol != IPPROTO_TCP)
		return 1;
	if (state == TCP_CLOSE || state == TCP_LISTEN)
		return 1;
	conn = adopt(false, sk, state);
	if (conn)
		close_begins(false, conn, tp, state);
	return 1;
}

/*
 * inet_getname() asks these programs in process context, for getpeername() and
 * for every accept() that wants the peer's address, as nearly all servers do:
 * the first process that is seen with an accepted socket. Since 5.8.
 */
static __always_inline int use(struct bpf_sock_addr *ctx)
{
	struct sock *sk = (void *)ctx->sk;
	struct end *conn = find(sk);

	if (conn)
		learn_owner(conn, SOURCE_USE);
	if (conn && conn->flags & FLAG_PASSIVE)
		remember_accept(conn);
	return 1;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	return use(ctx);
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	return use(ctx);
}

#ifndef RAW /* the kernel attaches iterators by its own types: see held.h */

/* An event came between attach and search, and did not show the owner; or
 * another descriptor of the socket was found. */
static __always_inline bool found(struct sock *sk, const struct end *fresh)
{
	struct end *conn = find(sk);

	if (conn && conn->source == SOURCE_NONE) {
		conn->owner = fresh->owner;
		conn->source = SOURCE_ITERATOR;
	}
	return conn;
}

/*
 * Run once, after the attach: sockets older than that, with the process that holds
 * them. BPF_NOEXIST: what the other programs have learnt meanwhile wins.
 */
SEC("iter/task_file")
int task_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct tcp_sock *tp;
	struct sock *sk;
	struct end fresh;
	__u32 netns;
	__u64 key;
	__u8 state;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	if (!socket || BPF_CORE_READ(socket, file) != file)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	tp = (void *)sk;
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == TCP_CLOSE || !may_be_wanted(false, sk))
		return 0;
	clear(&fresh, sizeof(fresh));
	read_owner(&fresh.owner, task);
	if (state == TCP_LISTEN) {
		struct listener_key key = {};
		struct listener value = {};

		key.netns = netns_of(sk);
		key.port = bpf_ntohs(BPF_CORE_READ(tp, inet_conn.icsk_inet.inet_sport));
		value.owner = fresh.owner;
		bpf_map_update_elem(&listeners, &key, &value, BPF_NOEXIST);
		return 0;
	}
	fresh.flags = FLAG_PREEXISTING | FLAG_TUPLE;
	fresh.path = state;
	fresh.source = SOURCE_ITERATOR;
	read_tuple(false, &fresh, tp);
	fresh.sock = key = (__u64)sk;
	fresh.tenant = slot_of(tenant_of(false, sk, &netns, false));
	if (found(sk, &fresh))
		return 0;
	if (!takes_entry(fresh.tenant)) {
		entry_refused(fresh.tenant);
		return 0;
	}
	if (bpf_map_update_elem(&conns, &key, &fresh, BPF_NOEXIST)) {
		entry_gone(fresh.tenant);
		found(sk, &fresh);
	}
	return 0;
}

#endif
