/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What fentry mode adds to the core. Needs BPF trampolines (x86-64: 5.5). */
#pragma once

SEC("fentry/tcp_close")
int BPF_PROG(fentry_close, struct sock *sk, long timeout)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return 0;
	close_called(true, sk, tp, timeout);
	return 0;
}

SEC("fexit/tcp_close")
int BPF_PROG(fexit_close, struct sock *sk, long timeout)
{
	if (!timeout)
		return 0;
	close_returned();
	return 0;
}

/* inet_csk_accept(sk, flags, err, kern), up to 6.9 */
SEC("fexit/inet_csk_accept")
int BPF_PROG(fexit_accept4, struct sock *sk, int flags, int *err, bool kern, struct sock *child)
{
	accepted(child);
	return 0;
}

/* inet_csk_accept(sk, arg), since 6.10 (92ef0fd55ac8) */
SEC("fexit/inet_csk_accept")
int BPF_PROG(fexit_accept2, struct sock *sk, void *arg, struct sock *child)
{
	accepted(child);
	return 0;
}

/* tcp_reset(sk, skb), since 5.12 (049fe386d353); before there is no segment. */
SEC("fentry/tcp_reset")
int BPF_PROG(fentry_reset, struct sock *sk, struct sk_buff *skb)
{
	reset_by(true, sk, skb);
	return 0;
}

SEC("fentry/tcp_v4_err")
int BPF_PROG(fentry_v4_err, struct sk_buff *skb)
{
	quoted_ipv4(skb);
	return 0;
}

SEC("fentry/tcp_v6_err")
int BPF_PROG(fentry_v6_err, struct sk_buff *skb, void *opt, __u8 type, __u8 code, int offset)
{
	icmp_about(skb, READ(skb, data) + offset, type, code);
	return 0;
}

/* tcp_v4_send_reset(sk, skb), up to 6.9; then with the reason. */
SEC("fentry/tcp_v4_send_reset")
int BPF_PROG(fentry_v4_send_reset, struct sock *sk, struct sk_buff *skb)
{
	function_sends_reset(sk, skb);
	return 0;
}

SEC("fentry/tcp_v6_send_reset")
int BPF_PROG(fentry_v6_send_reset, struct sock *sk, struct sk_buff *skb)
{
	function_sends_reset(sk, skb);
	return 0;
}

/* The first two arguments are the same everywhere. */
SEC("fentry/tcp_timewait_state_process")
int BPF_PROG(fentry_timewait, struct inet_timewait_sock *tw, struct sk_buff *skb)
{
	minisock_receives((struct sock *)tw, skb);
	return 0;
}

/* Only the first argument is the same everywhere. */
SEC("fentry/tcp_send_active_reset")
int BPF_PROG(fentry_active_reset, struct sock *sk)
{
	gives_up(true, sk);
	return 0;
}
