/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What was exchanged before the end. All is read when an end begins or has come. */
#pragma once

/* of last_word: data was sent after the end had begun, retransmissions included */
enum { SENT_SINCE = 2 };

/* tcp_jiffies32 */
static __always_inline __u32 jiffies32(void)
{
	return bpf_jiffies64();
}

/*
 * How long retransmissions of what is unacknowledged have gone on, in ms: each of
 * them overwrites lsndtime. retrans_stamp is that of the first (tcp_retransmit_skb),
 * in ms, or in us if the route wants that (tcp_usec_ts, since 6.7).
 */
static __always_inline __u32 stalled_ms(bool typed, struct tcp_sock *tp)
{
	__u32 stamp = GET(typed, tp, retrans_stamp);
	__u64 now = bpf_ktime_get_ns();

	if (!stamp || !GET(typed, tp, inet_conn.icsk_retransmits) ||
	    GET(typed, tp, write_seq) == GET(typed, tp, snd_una))
		return 0;
	if (bpf_core_field_exists(tp->tcp_usec_ts) && GET_BITS(typed, tp, tcp_usec_ts))
		return ((__u32)(now / 1000) - stamp) / 1000;
	return (__u32)(now / 1000000) - stamp;
}

/*
 * How long the oldest segment has been under way, in ms. The list is ordered by the
 * time of sending; tcp_write_queue_purge() empties it before most ->CLOSE.
 */
static __always_inline __u32 under_way_ms(struct tcp_sock *tp)
{
	struct list_head *sent, *first;
	struct sk_buff *skb;
	__u64 stamp;

	if (!bpf_core_field_exists(tp->tsorted_sent_queue))
		return 0;
	sent = __builtin_preserve_access_index(&tp->tsorted_sent_queue);
	first = READ(sent, next);
	if (first == sent)
		return 0;
	skb = (void *)first - bpf_core_field_offset(struct sk_buff, tcp_tsorted_anchor);
	stamp = READ(skb, skb_mstamp_ns);
	return (bpf_ktime_get_ns() - stamp) / 1000000 ?: 1;
}

/*
 * This end has the last word: something of its own is not acknowledged, or the peer
 * has acknowledged something after its own last data. snd_wl1 is the sequence
 * number of the segment that last did (tcp_ack), for data that of its beginning.
 */
static __always_inline bool last_word(bool typed, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u32 end = GET(typed, tp, rcv_nxt);

	if (SOCK_FLAG(typed, sk, SOCK_DONE))
		end--; /* the FIN */
	return GET(typed, tp, write_seq) != GET(typed, tp, snd_una) ||
	       GET(typed, tp, snd_wl1) == end;
}

/* The first FIN, close(), a RST or the end: what comes later belongs to the closing. */
static __always_inline void falls_quiet(bool typed, struct end *conn, struct tcp_sock *tp)
{
	__u32 now = jiffies32();

	if (conn->quiet)
		return;
	conn->quiet = bpf_ktime_get_ns();
	conn->sent_age = now - GET(typed, tp, lsndtime);
	conn->late_data = GET(typed, tp, inet_conn.icsk_ack.lrcvtime);
	conn->received_age = now - GET(typed, tp, inet_conn.icsk_ack.lrcvtime);
	conn->stalled_ms = stalled_ms(typed, tp);
	conn->last_word = last_word(typed, tp);
	conn->bytes_sent = GET(typed, tp, bytes_sent); /* until the end comes */
	if (GET(typed, tp, packets_out))
		conn->unacked_ms = under_way_ms(tp);
}

/* tcp_get_info_chrono_stats() */
static __always_inline void read_limits(struct end *conn, struct tcp_sock *tp)
{
	__u32 running = jiffies32() - LOAD(tp, chrono_start);
	__u8 type = GET_BITS(TYPED, tp, chrono_type);

	conn->busy = LOAD(tp, chrono_stat[0]) + (type == 1 ? running : 0);
	conn->receiver_limited = LOAD(tp, chrono_stat[1]) + (type == 2 ? running : 0);
	conn->sender_limited = LOAD(tp, chrono_stat[2]) + (type == 3 ? running : 0);
}

/* The peer did not know of the end, or did not care: tcp_data_queue() takes data after our FIN. */
static __always_inline void read_late_data(struct end *conn, struct tcp_sock *tp)
{
	__u16 since = (__u16)LOAD(tp, inet_conn.icsk_ack.lrcvtime) - conn->late_data;

	conn->late_data = since ? (__u16)(since - conn->received_age) ?: 1 : 0;
}

static __always_inline void read_talk(struct end *conn, struct tcp_sock *tp)
{
	__u32 stalled = stalled_ms(TYPED, tp);

	falls_quiet(TYPED, conn, tp);
	read_late_data(conn, tp);
	if (LOAD(tp, write_seq) == LOAD(tp, snd_una))
		conn->unacked_ms = 0;
	else if (stalled)
		conn->unacked_ms = stalled;
	else if (LOAD(tp, packets_out))
		conn->unacked_ms = under_way_ms(tp);
	read_limits(conn, tp);
	if (LOAD(tp, bytes_sent) != conn->bytes_sent)
		conn->last_word |= SENT_SINCE;
	conn->bytes_sent = LOAD(tp, bytes_sent);
	conn->bytes_retrans = LOAD(tp, bytes_retrans);
	conn->segs_in = LOAD(tp, segs_in);
	conn->segs_out = LOAD(tp, segs_out);
	conn->delivered = LOAD(tp, delivered);
	conn->mss = LOAD(tp, mss_cache);
	conn->pmtu = LOAD(tp, inet_conn.icsk_pmtu_cookie);
	conn->snd_una = LOAD(tp, snd_una);
	conn->rcv_nxt = LOAD(tp, rcv_nxt);
	conn->peer_window = LOAD(tp, snd_wnd);
	conn->syn_data = GET_BITS(TYPED, tp, syn_data_acked);
}
