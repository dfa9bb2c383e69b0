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

static __always_inline void found_listener(struct sock *sk, struct task_struct *task)
{
	struct listener_key key = {};
	struct listener value = {};
	struct listener *known;

	read_listener(false, &key, sk, netns_of(sk));
	known = bpf_map_lookup_elem(&listeners, &key);
	if (known) { /* by another descriptor, or of another process that may have it too */
		if (known->sock != (__u64)sk && known->owner.tgid == (__u32)BPF_CORE_READ(task, tgid))
			__sync_fetch_and_add(&known->sockets, 1);
		return;
	}
	read_owner(&value.owner, task);
	value.sock = (__u64)sk;
	value.sockets = 1;
	bpf_map_update_elem(&listeners, &key, &value, BPF_NOEXIST);
}

static __always_inline void found_open(struct sock *sk, struct task_struct *task, __u8 state)
{
	struct end fresh;
	__u32 netns, nested;
	__u64 key;

	clear(&fresh, sizeof(fresh));
	read_owner(&fresh.owner, task);
	fresh.flags = FLAG_PREEXISTING | FLAG_TUPLE;
	fresh.path = state;
	fresh.source = SOURCE_ITERATOR;
	read_tuple(false, &fresh, (struct tcp_sock *)sk);
	fresh.sock = key = (__u64)sk;
	fresh.tenant = slot_of(tenant_of(false, sk, &netns, &nested, SIDE_UNKNOWN));
	fresh.flags |= nested;
	if (found(sk, &fresh))
		return;
	if (!takes_entry(fresh.tenant)) {
		entry_refused(fresh.tenant);
		return;
	}
	if (bpf_map_update_elem(&conns, &key, &fresh, BPF_NOEXIST)) {
		entry_gone(fresh.tenant);
		found(sk, &fresh);
	}
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
	struct sock *sk;
	__u16 protocol;
	__u8 state;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	if (!socket || BPF_CORE_READ(socket, file) != file)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	protocol = BPF_CORE_READ(sk, sk_protocol);
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	/* A listener of MPTCP, as Go makes them, has its address too: mptcp_copy_inaddrs(). */
	if (protocol != IPPROTO_TCP && !(protocol == IPPROTO_MPTCP && state == TCP_LISTEN))
		return 0;
	if (state == TCP_CLOSE || !may_be_wanted(false, sk))
		return 0;
	if (state == TCP_LISTEN)
		found_listener(sk, task);
	else
		found_open(sk, task, state);
	return 0;
}

#endif
