/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The life of a connection, as the programs record it. */
#pragma once

static __always_inline __u32 us_since(__u64 begin)
{
	__u64 us = (bpf_ktime_get_ns() - begin) / 1000;

	return us > 0xffffffff ? 0xffffffff : us ?: 1;
}

static __always_inline bool sends_fin(__u32 state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK || state == TCP_CLOSING;
}

static __always_inline bool fin_was_sent(__u32 state)
{
	return sends_fin(state) || state == TCP_FIN_WAIT2;
}

/*
 * The same byte. The verifier does not know any more what it is, by the way through a part
 * of a stack slot, and goes through what follows once and not for each value.
 */
static __always_inline __u8 forgotten(__u8 byte)
{
	volatile __u64 slot = (__u64)byte << 8;

	return ((volatile __u8 *)&slot)[1];
}

/* A message before its fields are filled in: no byte of the stack leaks. */
static __always_inline void clear(void *message, __u64 size)
{
	__builtin_memset(message, 0, size);
}

static __always_inline struct end *find(struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&conns, &key);
}

/*
 * A new entry, for a socket that has none. The tenant may already have its share,
 * or another processor may have been faster.
 */
static __always_inline struct end *insert(bool typed, struct sock *sk, const struct end *fresh,
					  bool born, enum side side)
{
	__u64 key = (__u64)sk;
	struct end *conn;
	__u32 slot, netns, nested;
	long failed;

	slot = slot_of(tenant_of(typed, sk, &netns, &nested, side));
	if (!takes_entry(slot)) {
		if (born)
			entry_refused(slot);
		return NULL;
	}
	failed = bpf_map_update_elem(&conns, &key, fresh, BPF_NOEXIST);
	if (failed)
		entry_gone(slot);
	if (failed && failed != -EEXIST)
		lost_entry();
	conn = bpf_map_lookup_elem(&conns, &key);
	if (conn && !failed) {
		conn->sock = key;
		conn->netns = netns;
		conn->tenant = slot;
		if (nested)
			conn->flags |= nested;
	}
	return conn;
}

static __always_inline void forget(const struct end *conn)
{
	__u64 key = conn->sock;
	__u32 slot = conn->tenant;

	if (!bpf_map_delete_elem(&conns, &key))
		entry_gone(slot);
}

static __always_inline bool wanted_address(__u32 netns, __u32 local_port, __u32 peer_port)
{
	if (filter_netns && netns != filter_netns)
		return false;
	return !filter_port || local_port == filter_port || peer_port == filter_port;
}

static __always_inline bool wanted_peer(const __u8 *address, __u8 family)
{
	const __u64 *peer = (const __u64 *)address;
	__u64 high = peer[0], low = peer[1];

	if (!(filter_mask[0] | filter_mask[1]))
		return true;
	if (family == AF_INET) {
		low = high << 32 | bpf_htonl(0xffff);
		high = 0;
	}
	return !((high ^ filter_peer[0]) & filter_mask[0] ||
		 (low ^ filter_peer[1]) & filter_mask[1]);
}

/* A value not known yet, like the port of a connecting socket, may be one that is wanted. */
static __always_inline bool may_be_wanted(bool typed, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;
	__u16 family, local_port, peer_port;
	__u8 local[16] = {}, peer[16] = {};

	if (filter_netns && netns_of(sk) != filter_netns)
		return false;
	if (!filter_port && !(filter_mask[0] | filter_mask[1]))
		return true;
	peer_port = bpf_ntohs(GET(typed, sk, __sk_common.skc_dport));
	if (!peer_port)
		return true;
	local_port = bpf_ntohs(READ(tp, inet_conn.icsk_inet.inet_sport));
	if (local_port && filter_port && local_port != filter_port && peer_port != filter_port)
		return false;
	family = GET(typed, sk, __sk_common.skc_family);
	read_addresses(typed, sk, local, peer, family);
	return wanted_peer(peer, family);
}

/* The entry of a socket, made new if there is none: the connection is then older than the
 * trace, or one that found no place. NULL if it is not wanted or finds none now. */
static __always_inline struct end *adopt(bool typed, struct sock *sk, __u32 state)
{
	struct end *conn = find(sk);

	if (conn || !live || !may_be_wanted(typed, sk))
		return conn;
	conn = insert(typed, sk, &blank[state & 0xf], false,
		      state == TCP_SYN_RECV ? SIDE_PASSIVE : SIDE_UNKNOWN);
	if (conn && (losses || some_refused()))
		conn->flags |= FLAG_UNTRACKED;
	if (conn && !TYPED)
		read_held(conn, sk);
	return conn;
}

static __always_inline bool wanted_tuple(const struct end *conn)
{
	return wanted_address(conn->netns, conn->local_port, conn->peer_port) &&
	       wanted_peer(conn->peer, conn->family);
}

static __always_inline bool wanted(const struct end *conn)
{
	if (!wanted_tuple(conn))
		return false;
	if (filter_family && !is_followed(conn->owner.tgid) && !is_followed(conn->closer.tgid))
		return false;
	return true;
}

static __always_inline void emit(struct end *conn, __u32 message)
{
	if (!wanted(conn))
		return;
	conn->message = message;
	conn->lost = losses;
	send(conn, sizeof(*conn), message == MESSAGE_END);
}

static __always_inline void emit_later(struct sock *sk, __u32 message, struct later *later)
{
	later->message = message;
	later->lost = losses;
	later->sock = (__u64)sk;
	later->time = bpf_ktime_get_ns();
	send(later, sizeof(*later), false);
}

/*
 * What was never acknowledged, without SYN and FIN, which take a sequence
 * number too: the FIN once it is queued, i.e. from the states that send it.
 */
static __always_inline void read_send_queue(bool typed, struct end *conn, struct tcp_sock *tp,
					    __u32 state)
{
	__u32 write_seq = GET(typed, tp, write_seq);
	__u32 unacked = write_seq - GET(typed, tp, snd_una);
	__u32 unsent = write_seq - GET(typed, tp, snd_nxt);
	__u32 control = sends_fin(state) || state == TCP_SYN_SENT ||
			(state == TCP_SYN_RECV && conn->flags & FLAG_ACTIVE); /* simultaneous open */

	conn->unacked = unacked ? unacked - control : 0;
	conn->unsent = unsent ? unsent - control : 0;
}

static __always_inline bool is_repaired(bool typed, struct tcp_sock *tp)
{
	return GET_BITS(typed, tp, repair);
}

static __always_inline bool is_subflow(struct tcp_sock *tp)
{
	return bpf_core_field_exists(tp->is_mptcp) && LOAD(tp, is_mptcp);
}

/* The rule of tcp_inq(): a FIN that was received but not read counts one. */
static __always_inline __u32 unread_of(bool typed, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u32 unread = GET(typed, tp, rcv_nxt) - GET(typed, tp, copied_seq);

	if (unread && SOCK_FLAG(typed, sk, SOCK_DONE))
		unread--;
	return unread;
}

static __always_inline void read_linger(bool typed, struct end *conn, struct sock *sk)
{
	__u64 time;

	conn->linger = SOCK_FLAG(typed, sk, SOCK_LINGER);
	if (!conn->linger)
		return;
	time = GET(typed, sk, sk_lingertime);
	conn->lingertime = time > 0xffffffff ? 0xffffffff : time;
}

/*
 * close() of the last descriptor begins: cgroup/sock_release, tcp_close, or the
 * first state change inside it. A FIN that shutdown() sent stays attributed to its
 * caller, unless this close waits or aborts.
 */
static __always_inline void close_begins(bool typed, struct end *conn, struct tcp_sock *tp,
					 __u32 state)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	enum close_effect does;
	__u32 marks;

	if (conn->close_began || state == TCP_CLOSE || state == TCP_LISTEN)
		return;
	conn->close_began = bpf_ktime_get_ns();
	if (!(conn->flags & FLAG_TUPLE))
		read_tuple(typed, conn, tp);
	settle_owner(conn, SOURCE_CLOSER);
	read_linger(typed, conn, sk);
	read_send_queue(typed, conn, tp, state);
	conn->unread = unread_of(typed, tp);
	/* Untyped it takes ten probe reads, and from ESTABLISHED the same call changes the
	 * state, where set_state reads it. */
	if (typed || state != TCP_ESTABLISHED)
		falls_quiet(typed, conn, tp);
	marks = (is_repaired(typed, tp) ? CLOSE_REPAIR : 0) | (conn->unread ? CLOSE_UNREAD : 0) |
		(!conn->linger ? 0 : conn->lingertime ? CLOSE_LINGERS : CLOSE_LINGER_ZERO);
	if (state == TCP_FIN_WAIT2 && GET(typed, tp, linger2) < 0)
		marks |= CLOSE_NO_FIN_WAIT;
	does = on_close[(state * CLOSE_MARKS + forgotten(marks)) % sizeof(on_close)];
	if (!fin_was_sent(state) || does)
		set_closer(conn, CALL_CLOSE);
	if (flags_of(current_task()) & PF_EXITING)
		conn->skipped = conn->linger && conn->lingertime;
	else
		conn->lingering = does == CLOSE_WAITS;
}

/* The FIN of a waiting close() is acknowledged, or the connection ends. */
static __always_inline void wait_ends(struct end *conn, struct sock *sk, __u32 new)
{
	conn->left_us = us_since(conn->close_began);
	conn->flags |= FLAG_LEFT;
	if (SOCK_FLAG(TYPED, sk, SOCK_DEAD))
		conn->flags |= FLAG_LEFT_DEAD;
	if (LOAD(sk, sk_lock.owned))
		conn->flags |= FLAG_LEFT_OWNED;
	if (new != TCP_CLOSE)
		emit(conn, MESSAGE_LEFT);
}

/*
 * tcp_snd_wnd_test(): the peer had room for the next segment. If it was still not
 * sent, this host could not send: its firewall dropped it, or there was no route;
 * tcp_check_probe_timer() then counts probes, as for a closed window.
 */
static __always_inline bool window_open(struct tcp_sock *tp)
{
	__u32 unsent = LOAD(tp, write_seq) - LOAD(tp, snd_nxt);
	__u32 segment = unsent < LOAD(tp, mss_cache) ? unsent : LOAD(tp, mss_cache);

	return unsent &&
	       (__s32)(LOAD(tp, snd_una) + LOAD(tp, snd_wnd) - LOAD(tp, snd_nxt) - segment) >= 0;
}

/* X->CLOSE: everything is still intact here, but not at tcp_destroy_sock. */
static __always_inline void read_end(struct end *conn, struct tcp_sock *tp, __u32 old)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct sock *sk = &icsk->icsk_inet.sk;

	conn->ended = bpf_ktime_get_ns();
	conn->last = old;
	conn->holder = holder_at(conn->sock);
	conn->shutdown = LOAD(sk, sk_shutdown);
	conn->error = LOAD(sk, sk_err) ?: conn->reported;
	conn->soft_error = LOAD(sk, sk_err_soft);
	conn->flags |= FLAG_ENDED;
	if (LOAD(sk, sk_lock.owned))
		conn->flags |= FLAG_OWNED;
	if (SOCK_FLAG(TYPED, sk, SOCK_DEAD))
		conn->flags |= FLAG_DEAD;
	if (SOCK_FLAG(TYPED, sk, SOCK_DONE))
		conn->flags |= FLAG_DONE;
	if (SOCK_FLAG(TYPED, sk, SOCK_KEEPOPEN))
		conn->flags |= FLAG_KEEPALIVE;
	if (!conn->close_began)
		read_linger(TYPED, conn, sk);
	if (is_repaired(TYPED, tp))
		conn->flags |= FLAG_REPAIR;
	if (is_subflow(tp))
		conn->flags |= FLAG_MPTCP;
	if ((old == TCP_FIN_WAIT2 || old == TCP_CLOSING) && time_waits_full(sk))
		conn->flags |= FLAG_TW_FULL;
	if (LOAD(tp, write_seq) == LOAD(tp, snd_una))
		conn->flags |= FLAG_FIN_ACKED;
	if (LOAD(tp, write_seq) != LOAD(tp, snd_nxt))
		conn->flags |= FLAG_FIN_UNSENT;
	if (window_open(tp))
		conn->flags |= FLAG_WINDOW_OPEN;
	read_talk(conn, tp);
	read_send_queue(TYPED, conn, tp, old);
	conn->unread = unread_of(TYPED, tp);
	conn->bytes_acked = LOAD(tp, bytes_acked);
	conn->bytes_received = LOAD(tp, bytes_received);
	conn->srtt_us = LOAD(tp, srtt_us);
	conn->retransmits = LOAD(tp, total_retrans);
	conn->linger2 = LOAD(tp, linger2);
	conn->user_timeout = LOAD(icsk, icsk_user_timeout);
	conn->timer_retransmits = LOAD(icsk, icsk_retransmits);
	conn->timer_probes = LOAD(icsk, icsk_probes_out);
}
