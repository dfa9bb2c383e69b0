/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What kprobe mode adds to the core: the same as trampoline.h, on probes. */
#pragma once

SEC("kprobe/tcp_close")
int BPF_KPROBE(kprobe_close, struct sock *sk, long timeout)
{
	close_called(false, sk, (struct tcp_sock *)sk, timeout);
	return 0;
}

SEC("kretprobe/tcp_close")
int BPF_KRETPROBE(kretprobe_close)
{
	close_returned();
	return 0;
}

/* Used if fprobe has no limit of instances; see attachKretprobeMulti. */
SEC("kretprobe.multi/tcp_close")
int BPF_KRETPROBE(kretprobe_multi_close)
{
	close_returned();
	return 0;
}

/*
 * inet_accept() > sock_graft() > security_sock_graft(sk, parent), in the process
 * that accepts. Better than the return of inet_csk_accept(): a kretprobe has about
 * ten instances, and every thread that waits in accept() holds one. Needs
 * CONFIG_SECURITY_NETWORK, which all distributions set.
 */
SEC("kprobe/security_sock_graft")
int BPF_KPROBE(kprobe_graft, struct sock *child)
{
	accepted(child);
	return 0;
}

/* Used if there is no security_sock_graft. */
SEC("kretprobe/inet_csk_accept")
int BPF_KRETPROBE(kretprobe_accept, struct sock *child)
{
	accepted(child);
	return 0;
}

SEC("kprobe/tcp_reset")
int BPF_KPROBE(kprobe_reset, struct sock *sk, struct sk_buff *skb)
{
	reset_by(false, sk, skb);
	return 0;
}

SEC("kprobe/tcp_v4_err")
int BPF_KPROBE(kprobe_v4_err, struct sk_buff *skb)
{
	quoted_ipv4(skb);
	return 0;
}

SEC("kprobe/tcp_v6_err")
int BPF_KPROBE(kprobe_v6_err, struct sk_buff *skb, void *opt, __u8 type, __u8 code, int offset)
{
	icmp_about(skb, READ(skb, data) + offset, type, code);
	return 0;
}

SEC("kprobe/tcp_send_active_reset")
int BPF_KPROBE(kprobe_active_reset, struct sock *sk)
{
	gives_up(false, sk);
	return 0;
}

SEC("kprobe/tcp_v4_send_reset")
int BPF_KPROBE(kprobe_v4_send_reset, struct sock *sk, struct sk_buff *skb)
{
	function_sends_reset(sk, skb);
	return 0;
}

SEC("kprobe/tcp_v6_send_reset")
int BPF_KPROBE(kprobe_v6_send_reset, struct sock *sk, struct sk_buff *skb)
{
	function_sends_reset(sk, skb);
	return 0;
}

SEC("kprobe/tcp_timewait_state_process")
int BPF_KPROBE(kprobe_timewait, struct inet_timewait_sock *tw, struct sk_buff *skb)
{
	minisock_receives((struct sock *)tw, skb);
	return 0;
}
