//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * closetrace in the kernel: facts about connection ends, no judgement.
 *
 * One message leaves for each connection end. While a connection lives, the
 * programs below write into its entry of the map conns; the message is that
 * entry. It is sent at tcp_destroy_sock where that follows in the same kernel
 * call (close(), or an orphan), so that a reset sent in between is in it;
 * otherwise at ->CLOSE. What comes later is sent as struct later and merged by
 * package tracer.
 *
 * Package tracer chooses which of the programs are loaded: the common core
 * always, and one of the sets in tracepoint.h, trampoline.h and kprobe.h.
 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "record.h"
#include "maps.h"
#include "read.h"
#include "conn.h"
#include "tracepoint.h"
#include "process.h"
#include "trampoline.h"
#include "kprobe.h"

char __license[] SEC("license") = "Dual BSD/GPL";

static __always_inline void listening(struct sock *sk, struct tcp_sock *tp)
{
	struct listener_key key = {};
	struct listener value = {};
	struct listener *known;
	struct task_struct *task = (void *)bpf_get_current_task();

	key.netns = netns_of(true, sk);
	key.port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	if (hertz_port && key.port == hertz_port && SOCK_FLAG(true, sk, SOCK_LINGER)) {
		hertz100 = sk->sk_lingertime;
		return;
	}
	read_owner(&value.owner, task);
	known = bpf_map_lookup_elem(&listeners, &key);
	if (known && known->owner.tgid != value.owner.tgid &&
	    BPF_CORE_READ_BITFIELD(&sk->__sk_common, skc_reuseport))
		value.ambiguous = 1;
	bpf_map_update_elem(&listeners, &key, &value, BPF_ANY);
}

/* inet_csk_clone_lock: the child of a listener; nobody has accepted it yet. */
static __always_inline void accepted_later(struct end *fresh, struct sock *sk,
					   struct tcp_sock *tp)
{
	struct listener_key key = {};
	struct listener *listener;

	key.netns = netns_of(true, sk);
	key.port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	listener = bpf_map_lookup_elem(&listeners, &key);
	if (listener && !listener->ambiguous) {
		fresh->owner = listener->owner;
		fresh->source = SOURCE_LISTENER;
	}
}

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
	struct end fresh;
	struct end *old_conn = find(sk);

	if (old_conn && !(old_conn->flags & FLAG_EMITTED)) {
		if (old_conn->path == new)
			return; /* done by another copy */
		end_missed(old_conn);
	}
	clear(&fresh, sizeof(fresh));
	fresh.started = bpf_ktime_get_ns();
	fresh.path = new;
	if (new == TCP_SYN_SENT) {
		fresh.flags = FLAG_ACTIVE;
		set_owner(&fresh, SOURCE_CONNECT);
	} else {
		fresh.flags = FLAG_PASSIVE;
		accepted_later(&fresh, sk, tp);
	}
	insert(sk, &fresh, BPF_ANY);
}

/*
 * LISTEN->CLOSE: the children that nobody accepted are ended next, by the same
 * thread (inet_csk_listen_stop). What calls tcp_disconnect on a listener with an
 * open descriptor is not told: shutdown() or connect(AF_UNSPEC).
 */
static __always_inline void stops_listening(struct sock *sk)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 call = holder_of(true, sk) == HOLDER_OPEN ? CALL_NONE : CALL_CLOSE;

	bpf_map_update_elem(&stopping, &thread, &call, BPF_ANY);
}

static __always_inline void stopped_listener(struct end *conn)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 *call = bpf_map_lookup_elem(&stopping, &thread);

	if (call)
		set_closer(conn, *call);
}

/* The FINs are exchanged and ours is acknowledged: an end in a system call is
 * then the work of the backlog. */
static __always_inline bool is_finished(struct sock *sk, struct tcp_sock *tp, int old)
{
	if (old == TCP_FIN_WAIT2)
		return SOCK_FLAG(true, sk, SOCK_DONE);
	return (old == TCP_LAST_ACK || old == TCP_CLOSING) && tp->write_seq == tp->snd_una;
}

/* Who is ending this side? Only a process that holds the socket's lock, or
 * inet_csk_listen_stop(), which ends children without it. */
static __always_inline void attribute(struct end *conn, struct sock *sk, struct tcp_sock *tp,
				      int old, int new)
{
	__u8 holder;

	/* tcp_abort(); an orphan's closer is not who ended it. */
	if (new == TCP_CLOSE && sk->sk_err == ECONNABORTED && sk->sk_lock.owned) {
		set_closer(conn, CALL_DESTROY);
		return;
	}
	if (SOCK_FLAG(true, sk, SOCK_DEAD) || sk->sk_err || conn->flags & FLAG_RST_RECEIVED)
		return;
	holder = holder_of(true, sk);
	if (!sk->sk_lock.owned) {
		if (new == TCP_CLOSE && holder == HOLDER_NONE && !is_subflow(tp) &&
		    (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT))
			stopped_listener(conn);
		return;
	}
	if (holder == HOLDER_OPEN)
		learn_owner(conn, SOURCE_USE);
	if (sk->sk_shutdown == 3 && (holder == HOLDER_CLOSING || holder == HOLDER_KERNEL))
		close_begins(true, conn, tp, old);
	else if (holder == HOLDER_OPEN && sends_fin(new) && new != old && new != TCP_CLOSING)
		set_closer(conn, CALL_SHUTDOWN);
	else if (holder == HOLDER_OPEN && new == TCP_CLOSE && !is_finished(sk, tp, old))
		/* In SYN_SENT shutdown() calls tcp_disconnect too (inet_shutdown). */
		set_closer(conn, old == TCP_SYN_SENT ? CALL_NONE : CALL_DISCONNECT);
}

/*
 * tcp_v4_connect() found no free port or no route and takes SYN_SENT back: no
 * SYN was sent, there was no connection.
 */
static __always_inline bool never_sent(struct sock *sk, struct tcp_sock *tp, int old, int new)
{
	return old == TCP_SYN_SENT && new == TCP_CLOSE && !tp->packets_out && !sk->sk_err &&
	       !sk->sk_shutdown && sk->sk_lock.owned;
}

static __always_inline void end(struct end *conn, struct tcp_sock *tp, int old)
{
	read_end(conn, tp, old);
	/* tcp_destroy_sock follows in the same call: close(), or an orphan. */
	if (conn->flags & FLAG_DEAD)
		return;
	if (conn->flags & FLAG_OWNED && conn->shutdown == 3 &&
	    (conn->holder == HOLDER_CLOSING || conn->holder == HOLDER_KERNEL))
		return;
	conn->flags |= FLAG_EMITTED;
	emit(conn, MESSAGE_END);
}

/* The table is full: what the socket itself still tells, and no more. */
static __always_inline void end_untracked(struct sock *sk, struct tcp_sock *tp, int old)
{
	struct end conn;

	clear(&conn, sizeof(conn));
	conn.flags = FLAG_UNTRACKED;
	conn.sock = (__u64)sk;
	conn.path = (__u64)old << 4 | TCP_CLOSE;
	read_tuple(true, &conn, tp);
	read_end(&conn, tp, old);
	emit(&conn, MESSAGE_END);
}

/*
 * tcp_set_state(), before sk_state changes; also called with old == new by
 * every close() in a live state (tcp_close_state). In process context for
 * system calls, in softirq for segments and timers; `current` means something
 * only where the socket is owned. Since 4.16.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock *sk, int old, int new)
{
	struct tcp_sock *tp;
	struct end *conn;

	/* MPTCP's own socket (262) is not a tcp_sock. */
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || copy_did(sk, old << 8 | new))
		return 0;
	if (new == TCP_LISTEN)
		listening(sk, tp);
	if (old == TCP_LISTEN && new == TCP_CLOSE)
		stops_listening(sk);
	if (new == TCP_LISTEN || (new == TCP_CLOSE && (old == TCP_LISTEN || old == TCP_CLOSE)))
		return 0;
	if (never_sent(sk, tp, old, new)) {
		forget(sk);
		return 0;
	}
	if ((old == TCP_CLOSE && new == TCP_SYN_SENT) ||
	    (new == TCP_SYN_RECV && old != TCP_SYN_SENT)) {
		open(sk, tp, new);
		return 0;
	}
	conn = adopt(sk, old);
	if (!conn) {
		if (new == TCP_CLOSE)
			end_untracked(sk, tp, old);
		return 0;
	}
	if (!(conn->flags & FLAG_TUPLE)) {
		read_tuple(true, conn, tp);
		if (old == TCP_SYN_SENT || old == TCP_SYN_RECV || conn->flags & FLAG_PREEXISTING)
			conn->flags |= FLAG_TUPLE;
	}
	if (new != old && (conn->path & 0xf) == new)
		return 0; /* done by another copy */
	if ((conn->path & 0xf) != old) {
		missed_event();
		conn->flags |= FLAG_UNTRACKED;
		conn->path = conn->path << 4 | old;
	}
	if (new != old)
		conn->path = conn->path << 4 | new;
	if (!conn->first_fin &&
	    (new == TCP_FIN_WAIT1 || new == TCP_CLOSE_WAIT || new == TCP_LAST_ACK))
		conn->first_fin = bpf_ktime_get_ns();
	attribute(conn, sk, tp, old, new);
	if (conn->lingering && !(conn->flags & FLAG_WAITING) && sends_fin(new)) {
		conn->flags |= FLAG_WAITING;
		emit(conn, MESSAGE_LINGER);
	}
	if (conn->lingering && !(conn->flags & FLAG_LEFT) && sends_fin(old) && !sends_fin(new))
		wait_ends(conn, sk, new);
	if (new == TCP_CLOSE)
		end(conn, tp, old);
	return 0;
}

/*
 * tcp_reset(): a RST was received, or data came for a socket whose receiving
 * side is closed (tcp_rcv_state_process); the RST that answers it comes after.
 */
SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(receive_reset, struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;
	struct end *conn;

	if (state == TCP_CLOSE)
		return 0;
	conn = adopt(sk, state);
	if (conn)
		conn->flags |= FLAG_RST_RECEIVED;
	return 0;
}

/*
 * A raw tracepoint: since 6.10 sk may be NULL or a minisock, and tp_btf would
 * need a kernel that tells the verifier so (raw_tp_null_args). The reason is
 * the third argument since then.
 */
SEC("raw_tp/tcp_send_reset")
int send_reset(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (void *)ctx->args[0];
	bool reply = ctx->args[1] != 0;
	__u8 state, reason = 0;
	struct later later;
	struct end *conn;
	__u32 flags;

	if (!sk)
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == TCP_NEW_SYN_RECV || state == TCP_LISTEN)
		return 0;
	if (copy_did(sk, 0xff00 | reply))
		return 0;
	if (bpf_core_type_exists(enum sk_rst_reason))
		reason = ctx->args[2];
	clear(&later, sizeof(later));
	later.reason = reason;
	if (state == TCP_TIME_WAIT) {
		later.family = BPF_CORE_READ(sk, __sk_common.skc_family);
		later.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
		later.peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
		later.netns = netns_of(false, sk);
		read_addresses(false, sk, later.local, later.peer, later.family);
		emit_later(sk, MESSAGE_RESET_TW, &later);
		return 0;
	}
	if (state != TCP_CLOSE) {
		/* An answer in a live state ends nothing: a wrong ACK while connecting. */
		if (reply)
			return 0;
		conn = adopt(sk, state);
		flags = FLAG_RST_SENT_BEFORE;
	} else {
		conn = find(sk);
		flags = reply ? FLAG_RST_REPLY_AFTER : FLAG_RST_SENT_AFTER;
	}
	if (conn && !(conn->flags & FLAG_EMITTED)) {
		conn->flags |= flags;
		conn->reason = reason;
		return 0;
	}
	if (state == TCP_CLOSE && (!conn || wanted(conn)))
		emit_later(sk, reply ? MESSAGE_RESET_REPLY : MESSAGE_RESET_SENT, &later);
	return 0;
}

/* inet_csk_destroy_sock() > tcp_v4_destroy_sock(): the socket is given up. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy_sock, struct sock *sk)
{
	struct end *conn = find(sk);
	struct tcp_sock *tp;
	struct later later;
	__u32 last;

	if (!conn)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!(conn->flags & FLAG_ENDED) && tp) {
		missed_event();
		last = conn->path & 0xf;
		if (!(conn->flags & FLAG_TUPLE))
			read_tuple(true, conn, tp);
		conn->path = conn->path << 4 | TCP_CLOSE;
		read_end(conn, tp, last);
		conn->flags |= FLAG_UNTRACKED;
	}
	if (!(conn->flags & FLAG_EMITTED))
		emit(conn, MESSAGE_END);
	if (conn->flags & FLAG_EMITTED && sk->sk_lock.owned && wanted(conn)) {
		clear(&later, sizeof(later));
		conn->call = CALL_NONE;
		set_closer(conn, CALL_CLOSE);
		later.call = conn->call;
		later.closer = conn->closer;
		later.unread = tp ? unread_of(true, tp) : 0;
		emit_later(sk, MESSAGE_CLOSED, &later);
	}
	forget(sk);
	return 0;
}

/*
 * A retransmission is a chance to look whether a close() still waits: the only
 * sample that tracepoints give between its begin and the FIN's acknowledgement.
 */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit_skb, struct sock *sk)
{
	struct end *conn = find((struct sock *)sk);

	if (!conn || !conn->lingering || conn->flags & FLAG_LEFT)
		return 0;
	if (!SOCK_FLAG(true, sk, SOCK_DEAD))
		conn->waiting_us = us_since(conn->close_began);
	else if (!conn->orphaned_us)
		conn->orphaned_us = us_since(conn->close_began);
	return 0;
}
