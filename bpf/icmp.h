/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Errors that the application has read by the time its connection ends. */
#pragma once

/* Names a connection attempt: where its SYN came from, and its number. */
struct syn {
	__be32 number;
	__be16 port;
	__u16 pad;
};

/*
 * ICMP errors about segments, by what they quote: type and code. Most are about
 * SYNs. They are few, as ICMP is; the least recently used goes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct syn);
	__type(value, __u16);
} icmp_errors SEC(".maps");

/* The first eight bytes of a TCP header: all that every ICMP error quotes. */
struct quote {
	__be16 source;
	__be16 dest;
	__be32 number;
};

/*
 * tcp_v4_err() only sets sk_err_soft while the socket is locked, and no tracepoint
 * shows it: the answer of a firewall or router on this host comes while connect()
 * still sends. getsockopt(SO_ERROR) clears it, so that nothing is left at close().
 */
static __always_inline void icmp_about(struct sk_buff *skb, void *segment, __u8 type, __u8 code)
{
	struct syn key = {};
	struct quote quote;
	__u16 icmp = type << 8 | code;

	if (filter_netns && READ(net_of_segment(skb), ns.inum) != filter_netns)
		return;
	if (!live || bpf_probe_read_kernel(&quote, sizeof(quote), segment))
		return;
	key.number = quote.number;
	key.port = quote.source;
	bpf_map_update_elem(&icmp_errors, &key, &icmp, BPF_ANY);
}

/* The header of IPv4: RFC 791, 3.1. */
static __always_inline void *after_ipv4(unsigned char *header, __u8 *protocol)
{
	__u8 bytes[10] = {};

	bpf_probe_read_kernel(bytes, sizeof(bytes), header);
	*protocol = bytes[9];
	return header + (bytes[0] & 0xf) * 4;
}

/* tcp_v4_err(skb, info): the data is what the error quotes, the headers its own. */
static __always_inline void quoted_ipv4(struct sk_buff *skb)
{
	unsigned char *icmp = READ(skb, head) + READ(skb, transport_header);
	__u8 protocol, kind[2];

	if (bpf_probe_read_kernel(kind, sizeof(kind), icmp))
		return;
	icmp_about(skb, after_ipv4(READ(skb, data), &protocol), kind[0], kind[1]);
}

/* The error of an attempt that its application has ended. */
static __always_inline void read_icmp(struct end *conn, struct tcp_sock *tp)
{
	struct syn key = {};
	__u16 *icmp;

	key.number = bpf_htonl(LOAD(tp, snd_una));
	key.port = LOAD(tp, inet_conn.icsk_inet.inet_sport);
	icmp = bpf_map_lookup_elem(&icmp_errors, &key);
	if (!icmp)
		return;
	conn->icmp = *icmp;
	bpf_map_delete_elem(&icmp_errors, &key);
}

/*
 * icmp_send(skb, type, code) answers what this host forwards, receives or, in
 * OUTPUT, sends itself. Since 6.10 (db3efdcf70c7); icmp6_send() has no tracepoint.
 */
TRACEPOINT("icmp_send")
int BPF_PROG(icmp_send, struct sk_buff *skb, int type, int code)
{
	unsigned char *header = READ(skb, head) + READ(skb, network_header);
	__u8 protocol = 0;
	void *segment = after_ipv4(header, &protocol);

	if (protocol == IPPROTO_TCP)
		icmp_about(skb, segment, type, code);
	return 0;
}

/*
 * sk_error_report(): until 6.9 tcp_v4_err(), tcp_write_err() and tcp_abort() set
 * the error and wake the application before they end the connection, so that it
 * may have read the error by then. With IP_RECVERR one may end nothing: see set_state.
 * Since 5.14.
 */
TRACEPOINT("inet_sk_error_report")
int BPF_PROG(error_report, struct sock *sk)
{
	struct end *conn;

	if (LOAD(sk, sk_protocol) != IPPROTO_TCP || LOAD(sk, __sk_common.skc_state) == TCP_CLOSE)
		return 0;
	conn = find(sk);
	if (conn && !(conn->flags & FLAG_ENDED) && LOAD(sk, sk_err))
		conn->reported = LOAD(sk, sk_err);
	return 0;
}
