/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ends that the kernel showed to no program: looked for in the table. */
#pragma once

/*
 * Ends that no program was shown need two sweeps: what one finds just as it happens, another program may
 * be telling. What one of them finds out at the same moment all the same is told
 * twice, and package tracer drops the second.
 */

/* So long after it was shown that connect() began, the socket has left TCP_CLOSE. */
enum { CONNECTING_US = 50000 };

/*
 * Does the socket's memory still tell of this connection? Sockets of TCP are
 * SLAB_TYPESAFE_BY_RCU: a freed one stays as it was until the next connection
 * clears it (sk_prot_alloc). tcp_disconnect() wipes the peer's port. The family
 * is not compared: IPV6_ADDRFORM changes it.
 */
static __always_inline bool is_same(const struct end *conn, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	return bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport)) == conn->peer_port &&
	       bpf_ntohs(BPF_CORE_READ(tp, inet_conn.icsk_inet.inet_sport)) == conn->local_port &&
	       netns_of(sk) == conn->netns;
}

/* sk_state is stored after the programs have run (inet_sk_state_store). */
static __always_inline bool is_over(const struct end *conn, struct tcp_sock *tp)
{
	__u8 state;

	if (conn->flags & FLAG_ENDED) /* tcp_destroy_sock was not shown; the kernel may keep its own */
		return conn->holder != HOLDER_KERNEL;
	state = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.__sk_common.skc_state);
	if (conn->path == TCP_SYN_SENT && us_since(conn->started) < CONNECTING_US)
		return false;
	if (state == TCP_CLOSE || !state)
		return true;
	/* Without ports the iterator came while connect() was choosing one. */
	return conn->flags & FLAG_TUPLE && conn->local_port && !is_same(conn, tp);
}

/* A socket in TCP_CLOSE still has what was there at its end, but for whose lock it was. */
static __always_inline void read_remains(struct end *conn, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u32 last = conn->path & 0xf;

	if (!(conn->flags & FLAG_TUPLE))
		read_tuple(false, conn, tp);
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE && conn->peer_port &&
	    is_same(conn, tp)) {
		read_end(false, conn, tp, last);
		conn->flags &= ~FLAG_OWNED;
		conn->flags |= FLAG_HIDDEN;
		conn->holder = 0;
		if (last == TCP_FIN_WAIT1 && conn->flags & FLAG_FIN_ACKED && !conn->error)
			conn->path = conn->path << 4 | TCP_FIN_WAIT2;
	}
	conn->ended = bpf_ktime_get_ns();
	conn->path = conn->path << 4 | TCP_CLOSE;
}

/* The entry itself is left as it is: it may be another connection's by now. */
static __always_inline void tell_remains(const struct end *entry, struct tcp_sock *tp)
{
	struct end *conn = bpf_ringbuf_reserve(&messages, sizeof(*conn), 0);

	missed_event();
	if (!conn) {
		lost_message(true);
		return;
	}
	bpf_probe_read_kernel(conn, sizeof(*conn), entry);
	if (!(conn->flags & FLAG_ENDED))
		read_remains(conn, tp);
	conn->flags |= FLAG_UNTRACKED;
	conn->message = MESSAGE_END;
	conn->lost = losses;
	if (wanted(conn))
		bpf_ringbuf_submit(conn, wakeup());
	else
		bpf_ringbuf_discard(conn, BPF_RB_NO_WAKEUP);
}

/*
 * bpf_seq_read() > bpf_hash_map_seq_show(), for each entry of conns, run by
 * package tracer. It writes a byte for each: a read of n bytes looks at n entries
 * and then lets other tasks have the processor. Since 5.9.
 */
SEC("iter/bpf_map_elem")
int sweep(struct bpf_iter__bpf_map_elem *ctx)
{
	struct end *conn = ctx->value;
	__u64 *key = ctx->key;
	struct tcp_sock *tp;
	__u8 looked_at = 1;

	if (!conn || !key)
		return 0;
	bpf_seq_write(ctx->meta->seq, &looked_at, sizeof(looked_at));
	if (conn->flags & FLAG_EMITTED || conn->swept == SWEPT_TOLD)
		return 0;
	tp = (void *)*key;
	if (!is_over(conn, tp)) {
		if (conn->swept)
			conn->swept = 0;
		return 0;
	}
	if (!conn->swept) {
		conn->swept = SWEPT_SUSPECT;
		return 0;
	}
	conn->swept = SWEPT_TOLD;
	tell_remains(conn, tp);
	return 0;
}
