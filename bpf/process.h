/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What fentry and kprobe mode share: the beginning and return of system calls. */
#pragma once

struct closing {
	__u64 sock;
	__u64 began;
};

/*
 * Closes that wait for SO_LINGER, by thread; the return deletes. A missed
 * return (kretprobe instances are few) leaves an entry until the thread waits
 * again; the least recently used goes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct closing);
} closing SEC(".maps");

/*
 * tcp_close(sk, timeout): timeout is the linger wait in jiffies, 0 if there is
 * none or the process exits. Not called for MPTCP's subflows.
 */
static __always_inline void close_called(bool typed, struct sock *sk, struct tcp_sock *tp,
					 long timeout)
{
	__u8 state = GET(typed, sk, __sk_common.skc_state);
	struct closing wait = {};
	__u64 thread = bpf_get_current_pid_tgid();
	struct end *conn;

	if (state == TCP_CLOSE || state == TCP_LISTEN)
		return;
	conn = adopt(typed, sk, state);
	if (conn)
		close_begins(typed, conn, tp, state);
	if (!timeout)
		return;
	wait.sock = (__u64)sk;
	wait.began = bpf_ktime_get_ns();
	bpf_map_update_elem(&closing, &thread, &wait, BPF_ANY);
}

/* The socket may be freed by now: its address is only a name. */
static __always_inline void close_returned(void)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct closing *wait = bpf_map_lookup_elem(&closing, &thread);
	struct later later;
	struct end *conn;

	if (!wait)
		return;
	clear(&later, sizeof(later));
	later.returned_us = us_since(wait->began);
	conn = find((struct sock *)wait->sock);
	if (conn && conn->lingering) {
		conn->returned_us = later.returned_us;
		conn->returned = true;
	}
	emit_later((struct sock *)wait->sock, MESSAGE_RETURNED, &later);
	bpf_map_delete_elem(&closing, &thread);
}

/* find() takes any address: a child that is not traced has no entry. */
static __always_inline void accepted(struct sock *sk)
{
	struct end *conn = find(sk);

	if (conn)
		learn_owner(conn, SOURCE_ACCEPT);
	if (conn)
		remember_accept(conn);
}

/*
 * tcp_reset() is also called for data that comes after close(): only the
 * segment tells whether the peer really sent RST.
 */
static __always_inline void reset_by(bool typed, struct sock *sk, struct sk_buff *skb)
{
	__u8 state = GET(typed, sk, __sk_common.skc_state);
	unsigned char *header;
	struct end *conn;
	__u8 flags = 0;

	if (!skb || state == TCP_CLOSE)
		return;
	conn = adopt(typed, sk, state);
	if (!conn)
		return;
	if (READ(skb, skb_iif) == LOOPBACK_IFINDEX && peer_elsewhere(sk))
		conn->flags |= FLAG_RST_HERE;
	header = READ(skb, head);
	header += READ(skb, transport_header);
	if (bpf_probe_read_kernel(&flags, sizeof(flags), header + TCP_FLAGS))
		return;
	conn->flags |= FLAG_RST_FLAG_SEEN;
	if (flags & TCP_FLAG_RST)
		conn->flags |= FLAG_RST_FLAG_SET;
}

/*
 * tcp_send_active_reset() in a live state: the kernel gives the connection up. If
 * no segment can be allocated no RST leaves, and no tracepoint shows it.
 */
static __always_inline void gives_up(bool typed, struct sock *sk)
{
	__u8 state = GET(typed, sk, __sk_common.skc_state);
	struct end *conn;

	if (state == TCP_CLOSE)
		return;
	conn = adopt(typed, sk, state);
	if (conn)
		conn->flags |= FLAG_RST_TRIED;
}
