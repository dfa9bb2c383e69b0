/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The states of a connection, from SYN to CLOSE. */
#pragma once

/* The socket has another connection: all events of the last one's end were missed. */
static __always_inline void end_missed(struct end *conn)
{
	missed_event();
	if (!(conn->flags & FLAG_ENDED)) {
		conn->path = conn->path << 4 | TCP_CLOSE;
		conn->ended = bpf_ktime_get_ns();
	}
	conn->flags |= FLAG_UNTRACKED;
	emit(conn, MESSAGE_END);
}

static __always_inline void open(struct sock *sk, struct tcp_sock *tp, int new)
{
	struct end *conn = find(sk);

	if (conn && !(conn->flags & FLAG_EMITTED)) {
		if (conn->path == new)
			return; /* done by another copy */
		end_missed(conn);
	}
	if (conn)
		forget(conn);
	if (!may_be_wanted(TYPED, sk))
		return;
	/* Nobody else knows the socket yet: its entry may be filled in in place. */
	conn = insert(TYPED, sk, &blank[0], true,
		      new == TCP_SYN_SENT ? SIDE_ACTIVE : SIDE_PASSIVE);
	if (!conn)
		return;
	conn->started = bpf_ktime_get_ns();
	conn->path = new;
	if (new == TCP_SYN_SENT) {
		conn->flags |= FLAG_ACTIVE;
		set_owner(conn, SOURCE_CONNECT);
	} else {
		conn->flags |= FLAG_PASSIVE;
		accepted_later(conn, sk);
	}
}

/* The FINs are exchanged and ours is acknowledged: an end in a system call is
 * then the work of the backlog. */
static __always_inline bool is_finished(struct sock *sk, struct tcp_sock *tp, int old)
{
	if (old == TCP_FIN_WAIT2)
		return SOCK_FLAG(TYPED, sk, SOCK_DONE);
	return (old == TCP_LAST_ACK || old == TCP_CLOSING) && LOAD(tp, write_seq) == LOAD(tp, snd_una);
}

/* Who is ending this side? Only a process that holds the socket's lock, or
 * inet_csk_listen_stop(), which ends children without it. */
static __always_inline void attribute(struct end *conn, struct sock *sk, struct tcp_sock *tp,
				      int old, int new)
{
	bool owned = LOAD(sk, sk_lock.owned);
	__u8 holder;

	/* tcp_abort(); an orphan's closer is not who ended it. */
	if (new == TCP_CLOSE && LOAD(sk, sk_err) == ECONNABORTED && owned) {
		set_closer(conn, CALL_DESTROY);
		return;
	}
	if (SOCK_FLAG(TYPED, sk, SOCK_DEAD) || conn->flags & FLAG_RST_RECEIVED)
		return;
	if (!owned) {
		/* In SYN_RECV by TCP Fast Open. An error may wait on it (IP_RECVERR). */
		if (new == TCP_CLOSE && (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT || old == TCP_SYN_RECV) &&
		    holder_at(conn->sock) == HOLDER_NONE && !is_subflow(tp))
			stopped_listener(conn);
		return;
	}
	if (LOAD(sk, sk_err))
		return;
	if (new == TCP_ESTABLISHED && LOAD(sk, sk_shutdown) != 3 && !guessed(conn))
		return; /* nothing to learn */
	holder = holder_at(conn->sock);
	if (holder == HOLDER_OPEN)
		settle_owner(conn, SOURCE_USE);
	if (LOAD(sk, sk_shutdown) == 3 && (holder == HOLDER_CLOSING || holder == HOLDER_KERNEL))
		close_begins(TYPED, conn, tp, old);
	else if (holder == HOLDER_OPEN && sends_fin(new) && new != old && new != TCP_CLOSING)
		set_closer(conn, CALL_SHUTDOWN);
	else if (holder == HOLDER_OPEN && new == TCP_CLOSE && !is_finished(sk, tp, old))
		/* In SYN_SENT shutdown() calls tcp_disconnect too (inet_shutdown). */
		set_closer(conn, old == TCP_SYN_SENT ? CALL_NONE : CALL_DISCONNECT);
}

/*
 * tcp_v4_connect() found no free port or no route and takes SYN_SENT back: no
 * SYN was sent.
 */
static __always_inline bool never_sent(struct sock *sk, struct tcp_sock *tp, int old, int new)
{
	return old == TCP_SYN_SENT && new == TCP_CLOSE && !LOAD(tp, packets_out) && !LOAD(sk, sk_err) &&
	       !LOAD(sk, sk_shutdown) && LOAD(sk, sk_lock.owned);
}

/*
 * __inet_hash_connect() found no port (EADDRNOTAVAIL): it returns without a port
 * only if none was bound before. Lack of memory for the port's bucket (ENOMEM)
 * looks the same.
 */
static __always_inline void no_port(struct end *conn, struct tcp_sock *tp)
{
	if (conn->flags & FLAG_EMITTED || LOAD(tp, inet_conn.icsk_inet.inet_sport))
		return;
	read_tuple(TYPED, conn, tp);
	conn->path = conn->path << 4 | TCP_CLOSE;
	conn->flags |= FLAG_NO_PORT | FLAG_TUPLE;
	read_end(conn, tp, TCP_SYN_SENT);
	emit(conn, MESSAGE_END);
}

static __always_inline void end(struct end *conn, struct tcp_sock *tp, int old)
{
	read_end(conn, tp, old);
	if (old == TCP_SYN_SENT && !conn->error)
		read_icmp(conn, tp);
	/* tcp_destroy_sock follows in the same call: close(), or an orphan. */
	if (conn->flags & FLAG_DEAD)
		return;
	if (conn->flags & FLAG_OWNED && conn->shutdown == 3 &&
	    (conn->holder == HOLDER_CLOSING || conn->holder == HOLDER_KERNEL))
		return;
	conn->flags |= FLAG_EMITTED;
	emit(conn, MESSAGE_END);
}

/*
 * Which ends were sent last of connections that have no entry: where there is one, it shows
 * another copy of the program that the first has done the work. A socket's address is used
 * again, the sequence numbers are not.
 */
enum { LONE = 1024 };

struct lone {
	__u64 sock;
	__u32 write_seq;
	__u32 rcv_nxt;
} lone[LONE];

static __always_inline struct lone *lone_of(struct tcp_sock *tp)
{
	return &lone[(LOAD(tp, write_seq) ^ LOAD(tp, rcv_nxt)) & (LONE - 1)];
}

static __always_inline bool was_sent_alone(struct sock *sk, struct tcp_sock *tp)
{
	struct lone *last = lone_of(tp);

	return last->sock == (__u64)sk && last->write_seq == LOAD(tp, write_seq) &&
	       last->rcv_nxt == LOAD(tp, rcv_nxt);
}

/* The connection found no place in the table: only what the socket itself still shows. */
static __always_inline void end_untracked(struct sock *sk, struct tcp_sock *tp, int old)
{
	struct lone *last = lone_of(tp);
	struct end *conn;

	if (filter_family || /* whose it was is not known */
	    !may_be_wanted(TYPED, sk) || /* nor is it lost if the ring is full */
	    !wanted_address(netns_of(sk), bpf_ntohs(LOAD(tp, inet_conn.icsk_inet.inet_sport)),
			    bpf_ntohs(LOAD(sk, __sk_common.skc_dport))))
		return;
	last->sock = (__u64)sk;
	last->write_seq = LOAD(tp, write_seq);
	last->rcv_nxt = LOAD(tp, rcv_nxt);
	conn = bpf_ringbuf_reserve(&messages, sizeof(*conn), 0);
	if (!conn) {
		lost_message(true);
		return;
	}
	clear(conn, sizeof(*conn));
	conn->message = MESSAGE_END;
	conn->flags = FLAG_UNTRACKED;
	conn->sock = (__u64)sk;
	conn->path = (__u64)old << 4 | TCP_CLOSE;
	read_tuple(TYPED, conn, tp);
	if (!wanted_peer(conn->peer, conn->family)) {
		bpf_ringbuf_discard(conn, 0);
		return;
	}
	read_end(conn, tp, old);
	conn->lost = losses;
	bpf_ringbuf_submit(conn, wakeup());
}

/*
 * An argument, read once more. The verifier then forgets what branches have taught it of
 * the value, and goes through what follows once and not for each state there is.
 */
#define AGAIN(i) (*(volatile __u64 *)&ctx[i])

/*
 * tcp_set_state(), before sk_state changes; also called with old == new by every
 * close() in a live state (tcp_close_state). In process context for system calls,
 * in softirq for segments and timers; `current` means something only if the socket
 * is owned. Since 4.16.
 */
TRACEPOINT("inet_sock_set_state")
int BPF_PROG(set_state, struct sock *sk, int old, int new)
{
	struct tcp_sock *tp;
	struct end *conn;

	/* MPTCP's own socket is not a tcp_sock. */
	if (LOAD(sk, sk_protocol) != IPPROTO_TCP || !live)
		return 0;
	if (copy_did(sk, old << 8 | new))
		return 0;
	tp = tcp_of(sk);
	if (!tp)
		return 0;
	if (new == TCP_LISTEN)
		listening(sk, tp);
	if (old == TCP_LISTEN && new == TCP_CLOSE)
		stops_listening(sk);
	if (new == TCP_LISTEN || (new == TCP_CLOSE && (old == TCP_LISTEN || old == TCP_CLOSE)))
		return 0;
	if (never_sent(sk, tp, old, new)) {
		conn = find(sk);
		if (!conn)
			return 0;
		no_port(conn, tp);
		forget(conn);
		return 0;
	}
	if ((old == TCP_CLOSE && new == TCP_SYN_SENT) ||
	    (new == TCP_SYN_RECV && old != TCP_SYN_SENT)) {
		open(sk, tp, new);
		return 0;
	}
	if (new == TCP_CLOSE && was_sent_alone(sk, tp))
		return 0; /* by another copy, which got no entry */
	old = AGAIN(1);
	conn = adopt(TYPED, sk, old);
	if (!conn) {
		new = AGAIN(2);
		if (new == TCP_CLOSE)
			end_untracked(sk, tp, old);
		return 0;
	}
	old = AGAIN(1);
	new = AGAIN(2);
	if (!(conn->flags & FLAG_TUPLE)) {
		read_tuple(TYPED, conn, tp);
		if (old == TCP_SYN_SENT || old == TCP_SYN_RECV || conn->flags & FLAG_PREEXISTING)
			conn->flags |= FLAG_TUPLE;
		if (!wanted_tuple(conn)) {
			forget(conn);
			return 0;
		}
	}
	old = AGAIN(1);
	new = AGAIN(2);
	if (new != old && (conn->path & 0xf) == new)
		return 0; /* done by another copy */
	if ((conn->path & 0xf) != old) {
		missed_event();
		conn->flags |= FLAG_UNTRACKED;
		conn->path = conn->path << 4 | old;
	}
	if (new != old)
		conn->path = conn->path << 4 | new;
	new = AGAIN(2);
	if (!conn->first_fin &&
	    (new == TCP_FIN_WAIT1 || new == TCP_CLOSE_WAIT || new == TCP_LAST_ACK)) {
		conn->first_fin = bpf_ktime_get_ns();
		falls_quiet(TYPED, conn, tp);
	}
	old = AGAIN(1);
	new = AGAIN(2);
	attribute(conn, sk, tp, old, new);
	old = AGAIN(1);
	new = AGAIN(2);
	if (conn->lingering && !(conn->flags & FLAG_WAITING) && sends_fin(new)) {
		conn->flags |= FLAG_WAITING;
		emit(conn, MESSAGE_LINGER);
	}
	if (conn->lingering && !(conn->flags & FLAG_LEFT) && sends_fin(old) && !sends_fin(new))
		wait_ends(conn, sk, new);
	old = AGAIN(1);
	new = AGAIN(2);
	if (new == TCP_CLOSE)
		end(conn, tp, old);
	else
		conn->reported = 0; /* it ended nothing: the lock is not released in between */
	return 0;
}
