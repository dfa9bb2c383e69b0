/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Listeners: who owns what they accept, and who ends what nobody accepted. */
#pragma once

static __always_inline void listening(struct sock *sk, struct tcp_sock *tp)
{
	struct listener_key key = {};
	struct listener value = {};
	struct listener *known;

	key.netns = netns_of(sk);
	key.port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	if (hertz_port && key.port == hertz_port && SOCK_FLAG(true, sk, SOCK_LINGER)) {
		hertz100 = sk->sk_lingertime;
		return;
	}
	read_current(&value.owner);
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

	key.netns = netns_of(sk);
	key.port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	listener = bpf_map_lookup_elem(&listeners, &key);
	if (listener && !listener->ambiguous) {
		fresh->owner = listener->owner;
		fresh->source = SOURCE_LISTENER;
	}
}

/*
 * LISTEN->CLOSE: the children that nobody accepted are ended next, by the same
 * thread (inet_csk_listen_stop). What calls tcp_disconnect on a listener with an
 * open descriptor is not told: shutdown() or connect(AF_UNSPEC).
 */
static __always_inline void stops_listening(struct sock *sk)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 call = holder_of(sk) == HOLDER_OPEN ? CALL_NONE : CALL_CLOSE;

	bpf_map_update_elem(&stopping, &thread, &call, BPF_ANY);
}

static __always_inline void stopped_listener(struct end *conn)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 *call = bpf_map_lookup_elem(&stopping, &thread);

	if (call)
		set_closer(conn, *call);
}
