/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Resets, received and sent. */
#pragma once

/* No SYN has left: what was sent is in the list, what failed to be sent is not. */
static __always_inline bool syn_unsent(struct tcp_sock *tp)
{
	struct list_head *sent;

	if (!bpf_core_field_exists(tp->tsorted_sent_queue))
		return false;
	sent = __builtin_preserve_access_index(&tp->tsorted_sent_queue);
	return READ(sent, next) == sent;
}

/*
 * Something passed to the firewall did not leave: __tcp_transmit_skb() counts data
 * before it fails (bytes_sent, since 4.19). TCP_CORK, MSG_MORE and pacing hold data
 * back too, but do not try; a FIN alone is not held back. An active opener's
 * bytes_acked has its SYN.
 */
static __always_inline bool rejected(const struct end *conn, struct tcp_sock *tp, __u8 state)
{
	__u64 left = LOAD(tp, bytes_acked) - !!(conn->flags & FLAG_ACTIVE);

	if (sends_fin(state) && LOAD(tp, write_seq) - LOAD(tp, snd_nxt) == 1)
		return true;
	return (__s64)(LOAD(tp, bytes_sent) - LOAD(tp, bytes_retrans) - left) > 0;
}

/*
 * Whether this host made the RST that is being received, and not the peer: its
 * firewall answers what it rejects in OUTPUT (nf_send_reset). tcp_transmit_skb()
 * then fails and the segment counts as unsent: with nothing under way, and room in
 * the peer's window, there is nothing that the peer could have answered; RSTs that
 * its close() sends have timestamps, unless one of the hosts does not use them. If
 * it rejects an acknowledgement or a probe, the RST came by lo to a socket whose
 * peer is elsewhere: in ESTABLISHED the socket keeps the route of the segment
 * (tcp_rcv_established). A segment that had to wait for the socket's lock has lost
 * its route (tcp_add_backlog), and the route before it is gone if that had another
 * interface, or if routes have changed (tcp_v4_do_rcv).
 */
static __always_inline bool made_here(const struct end *conn, struct sock *sk, __u8 state)
{
	struct tcp_sock *tp = tcp_of(sk);
	bool open = state == TCP_ESTABLISHED;

	if (!tp)
		return false;
	if (state == TCP_SYN_SENT)
		return syn_unsent(tp);
	if (open && READ(sk, sk_rx_dst) && peer_elsewhere(sk))
		return came_by(sk) == LOOPBACK_IFINDEX;
	if (!window_open(tp) || GET_BITS(TYPED, tp, rx_opt.saw_tstamp))
		return false;
	return (!LOAD(tp, packets_out) && rejected(conn, tp, state)) ||
	       (open && LOAD(sk, sk_lock.owned) && came_by(sk) && peer_elsewhere(sk));
}

/*
 * tcp_reset(): a RST was received, or data came for a socket whose receiving
 * side is closed (tcp_rcv_state_process); the RST that answers it comes after.
 */
TRACEPOINT("tcp_receive_reset")
int BPF_PROG(receive_reset, struct sock *sk)
{
	__u8 state = LOAD(sk, __sk_common.skc_state);
	struct tcp_sock *tp;
	struct end *conn;

	if (state == TCP_CLOSE)
		return 0;
	conn = adopt(TYPED, sk, state);
	if (!conn)
		return 0;
	conn->flags |= FLAG_RST_RECEIVED;
	tp = tcp_of(sk);
	if (tp)
		falls_quiet(TYPED, conn, tp);
	if (made_here(conn, sk, state))
		conn->flags |= FLAG_RST_HERE;
	return 0;
}

static __always_inline unsigned char *tcp_header(struct sk_buff *skb)
{
	return READ(skb, head) + READ(skb, transport_header);
}

/* The tuple of a received segment, as this host sees it. */
static __always_inline bool read_segment(struct later *later, struct sk_buff *skb)
{
	unsigned char *ip = READ(skb, head) + READ(skb, network_header);
	unsigned char *tcp = tcp_header(skb);
	__be16 ports[2] = {};
	__u8 version = 0;

	if (bpf_probe_read_kernel(&version, sizeof(version), ip) ||
	    bpf_probe_read_kernel(ports, sizeof(ports), tcp) ||
	    bpf_probe_read_kernel(&later->segment, sizeof(later->segment), tcp + TCP_FLAGS))
		return false;
	later->peer_port = bpf_ntohs(ports[0]);
	later->local_port = bpf_ntohs(ports[1]);
	if (version >> 4 == 4) {
		later->family = AF_INET;
		return !bpf_probe_read_kernel(later->peer, 4, ip + IPV4_SOURCE) &&
		       !bpf_probe_read_kernel(later->local, 4, ip + IPV4_DESTINATION);
	}
	later->family = AF_INET6;
	return version >> 4 == 6 &&
	       !bpf_probe_read_kernel(later->peer, 16, ip + IPV6_SOURCE) &&
	       !bpf_probe_read_kernel(later->local, 16, ip + IPV6_DESTINATION);
}

/*
 * A RST that answers a segment of a connection that this host does not have: no
 * socket has its ports, or only a listener. tcp_v4_send_reset() answers no RST.
 */
static __always_inline void stray_reset(struct sock *listener, struct sk_buff *skb, __u8 reason)
{
	struct later later;
	struct net *net;

	if (!live)
		return;
	clear(&later, sizeof(later));
	if (!read_segment(&later, skb) || later.segment & TCP_FLAG_RST)
		return;
	net = listener ? READ(listener, __sk_common.skc_net.net) : net_of_segment(skb);
	later.netns = READ(net, ns.inum);
	later.nested = READ(net, user_ns, level) != 0;
	later.listening = listener != NULL;
	later.reason = reason;
	if (!wanted_address(later.netns, later.local_port, later.peer_port) ||
	    !wanted_peer(later.peer, later.family) || !stray_allowed())
		return;
	tell(&later);
	emit_later(NULL, MESSAGE_STRAY, &later);
}

static __always_inline void emit_minisock(struct sock *sk, __u32 message, __u8 reason)
{
	struct later later;

	clear(&later, sizeof(later));
	later.reason = reason;
	later.family = READ(sk, __sk_common.skc_family);
	later.local_port = READ(sk, __sk_common.skc_num);
	later.peer_port = bpf_ntohs(READ(sk, __sk_common.skc_dport));
	later.netns = netns_of(sk);
	read_addresses(false, sk, later.local, later.peer, later.family);
	if (!wanted_address(later.netns, later.local_port, later.peer_port) ||
	    !wanted_peer(later.peer, later.family))
		return;
	tell(&later);
	emit_later(sk, message, &later);
}

/*
 * tcp_v4_rcv() > tcp_timewait_state_process(): a segment for a minisock. A RST ends
 * one that waits for the peer's FIN: its application closed without reading all, or
 * was killed. In TIME_WAIT proper no data can be lost any more.
 */
static __always_inline void minisock_receives(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_timewait_sock *tw = (void *)sk;
	unsigned char *tcp = tcp_header(skb);
	__u32 offset;
	__be32 seq = 0;
	__u8 flags = 0;

	if (READ(tw, tw_sk.tw_substate) != TCP_FIN_WAIT2 ||
	    bpf_probe_read_kernel(&flags, sizeof(flags), tcp + TCP_FLAGS) ||
	    !(flags & TCP_FLAG_RST) || !live ||
	    bpf_probe_read_kernel(&seq, sizeof(seq), tcp + TCP_SEQUENCE))
		return;
	offset = bpf_ntohl(seq) - READ(sk, __sk_common.skc_tw_rcv_nxt);
	if (offset && offset >= READ(tw, tw_rcv_wnd)) /* tcp_in_window() */
		return;
	emit_minisock(sk, MESSAGE_RESET_GOT_TW, 0);
}

/*
 * A minisock answers with RST: to data, which its application will not read. A SYN is of
 * another connection with the same ports, which says nothing of the one that ended.
 */
static __always_inline void minisock_resets(struct sock *sk, struct sk_buff *skb, __u8 reason)
{
	__u8 flags = 0;

	if (bpf_probe_read_kernel(&flags, sizeof(flags), tcp_header(skb) + TCP_FLAGS) ||
	    flags & TCP_FLAG_SYN)
		return;
	emit_minisock(sk, MESSAGE_RESET_TW, reason);
}

/*
 * tcp_v4_send_reset(sk, skb) before 6.10: the tracepoint reports only full sockets
 * there.
 */
static __always_inline void function_sends_reset(struct sock *sk, struct sk_buff *skb)
{
	if (!sk)
		stray_reset(NULL, skb, 0);
	else if (READ(sk, __sk_common.skc_state) == TCP_TIME_WAIT && live)
		minisock_resets(sk, skb, 0);
}

/*
 * tcp_rcv_state_process(): data that acknowledges our FIN is answered after the socket
 * has been given up.
 */
static __always_inline void tell_given_up(struct sock *sk, struct later *later)
{
	struct tcp_sock *tp = (void *)sk;

	if (!count_ordinary)
		return;
	later->family = READ(sk, __sk_common.skc_family);
	later->local_port = bpf_ntohs(READ(tp, inet_conn.icsk_inet.inet_sport));
	later->peer_port = bpf_ntohs(READ(sk, __sk_common.skc_dport));
	read_addresses(false, sk, later->local, later->peer, later->family);
	tell(later);
}

/*
 * A raw tracepoint: since 6.10 sk may be NULL or a minisock, and tp_btf would need
 * a kernel whose verifier knows that (raw_tp_null_args). The reason is the third
 * argument since then.
 */
SEC("raw_tp/tcp_send_reset")
int send_reset(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (void *)ctx->args[0];
	struct sk_buff *skb = (void *)ctx->args[1];
	bool reply = skb != NULL;
	__u8 state = TCP_LISTEN, reason = 0;
	struct later later;
	struct end *conn;
	__u32 flags;

	if (sk)
		state = READ(sk, __sk_common.skc_state);
	if (state == TCP_NEW_SYN_RECV || (state == TCP_LISTEN && !reply))
		return 0;
	if (copy_did(state == TCP_LISTEN ? (void *)skb : (void *)sk, 0xff00 | reply))
		return 0;
	if (bpf_core_type_exists(enum sk_rst_reason))
		reason = ctx->args[2];
	if (state == TCP_LISTEN) {
		stray_reset(sk, skb, reason);
		return 0;
	}
	if (state == TCP_TIME_WAIT) {
		minisock_resets(sk, skb, reason);
		return 0;
	}
	clear(&later, sizeof(later));
	later.reason = reason;
	if (state != TCP_CLOSE) {
		/* An answer in a live state ends nothing: a wrong ACK while connecting. */
		if (reply)
			return 0;
		conn = adopt(false, sk, state);
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
	if (state != TCP_CLOSE || !(conn ? wanted(conn) : may_be_wanted(false, sk)))
		return 0;
	if (!conn)
		tell_given_up(sk, &later);
	emit_later(sk, reply ? MESSAGE_RESET_REPLY : MESSAGE_RESET_SENT, &later);
	return 0;
}
