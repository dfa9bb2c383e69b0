/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Listeners: who owns what they accept, and who ends what nobody accepted. */
#pragma once

static __always_inline void one_more_listens(struct listener *known, __u32 tgid)
{
	__sync_fetch_and_add(&known->sockets, 1);
	if (known->owner.tgid != tgid)
		__sync_fetch_and_add(&known->strangers, 1);
}

static __always_inline void listening(struct sock *sk, struct tcp_sock *tp)
{
	struct listener_key key = {};
	struct listener value = {};
	struct listener *known;

	read_listener(TYPED, &key, sk, netns_of(sk));
	if (filter_netns && key.netns != filter_netns && !hertz_port)
		return;
	if (hertz_port && key.port == hertz_port && SOCK_FLAG(TYPED, sk, SOCK_LINGER)) {
		hertz_monotonic = bpf_ktime_get_ns();
		hertz_boottime = bpf_ktime_get_boot_ns();
		hertz100 = LOAD(sk, sk_lingertime);
		if (!TYPED)
			show_own(tp);
		return;
	}
	known = bpf_map_lookup_elem(&listeners, &key);
	if (known) {
		one_more_listens(known, bpf_get_current_pid_tgid() >> 32);
		return;
	}
	read_current(&value.owner);
	value.sock = (__u64)sk;
	value.sockets = 1;
	bpf_map_update_elem(&listeners, &key, &value, BPF_NOEXIST);
}

/* inet_csk_clone_lock: the child of a listener; nobody has accepted it yet. */
static __always_inline void accepted_later(struct end *fresh, struct sock *sk)
{
	struct listener_key key = {};
	struct listener *listener = listener_of(TYPED, &key, sk, fresh->netns);

	if (listener && !listener->strangers) {
		fresh->owner = listener->owner;
		fresh->source = SOURCE_LISTENER;
	}
}

/* A process has accepted: its next child may be for this connection. */
static __always_inline void remember_accept(const struct end *conn)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 slot = (__u32)thread % ACCEPTS;
	struct accepting *last = bpf_map_lookup_elem(&accepts, &slot);

	if (!last)
		return;
	last->thread = thread;
	last->sock = conn->sock;
}

/* Nothing was read of what came, and nothing was written. */
static __always_inline bool untouched(struct tcp_sock *tp)
{
	__u32 unread = READ(tp, rcv_nxt) - READ(tp, copied_seq);

	return unread == (__u32)READ(tp, bytes_received) && !READ(tp, bytes_acked) &&
	       READ(tp, write_seq) == READ(tp, snd_una);
}

/*
 * kernel_clone(), in the context of the parent and before the child runs. A thread
 * that accepts and then forks before a byte was read or written has made the child
 * to serve the connection: sshd, PostgreSQL, inetd. It closes its own copy at once,
 * which no event shows. Which process closes the last copy proves or disproves it.
 */
TRACEPOINT("sched_process_fork")
int BPF_PROG(inherit, struct task_struct *parent, struct task_struct *child)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 slot = (__u32)thread % ACCEPTS;
	struct accepting *last = bpf_map_lookup_elem(&accepts, &slot);
	struct end *conn;
	__u64 sock;

	if (!last || last->thread != thread || !last->sock)
		return 0;
	if (LOAD(child, tgid) == LOAD(parent, tgid) || LOAD(child, files) == LOAD(parent, files))
		return 0;
	sock = last->sock;
	last->sock = 0;
	conn = find((struct sock *)sock);
	if (!conn || conn->acceptor || conn->close_began || conn->flags & FLAG_ENDED ||
	    conn->owner.tgid != (__u32)LOAD(parent, tgid) || !untouched((struct tcp_sock *)sock))
		return 0;
	conn->acceptor = conn->owner.tgid;
	__builtin_memcpy(conn->acceptor_comm, conn->owner.comm, sizeof(conn->acceptor_comm));
	read_owner(&conn->owner, child);
	conn->source = SOURCE_FORK;
	return 0;
}

/*
 * LISTEN->CLOSE: the children that nobody accepted are ended next, by the same
 * thread (inet_csk_listen_stop). Which call disconnects a listener with an open
 * descriptor is not known: shutdown() or connect(AF_UNSPEC).
 */
static __always_inline void stops_listening(struct sock *sk)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 call = holder_of(sk) == HOLDER_OPEN ? CALL_NONE : CALL_CLOSE;
	struct listener_key key = {};
	struct listener *known;

	bpf_map_update_elem(&stopping, &thread, &call, BPF_ANY);
	read_listener(TYPED, &key, sk, netns_of(sk));
	known = bpf_map_lookup_elem(&listeners, &key);
	if (!known)
		return;
	if (known->sockets <= 1) {
		bpf_map_delete_elem(&listeners, &key);
		return;
	}
	__sync_fetch_and_add(&known->sockets, -1);
	if (known->strangers && known->owner.tgid != thread >> 32)
		__sync_fetch_and_add(&known->strangers, -1);
}

static __always_inline void stopped_listener(struct end *conn)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 *call = bpf_map_lookup_elem(&stopping, &thread);

	if (call)
		set_closer(conn, *call);
}
