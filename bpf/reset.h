/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Resets, received and sent. */
#pragma once

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
	if (!conn)
		return 0;
	conn->flags |= FLAG_RST_RECEIVED;
	if (!(conn->flags & FLAG_RST_FLAG_SEEN))
		conn->flags |= made_here(sk, state);
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
		later.netns = netns_of(sk);
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
