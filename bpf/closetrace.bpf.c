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
 * raw.bpf.c compiles this file again, for kernels without types of their own.
 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "typed.h"
#include "record.h"
#include "maps.h"
#include "read.h"
#include "tenant.h"
#include "talk.h"
#include "held.h"
#include "conn.h"
#include "ordinary.h"
#include "icmp.h"
#include "listener.h"
#include "state.h"
#include "reset.h"
#include "tracepoint.h"
#include "process.h"
#ifndef RAW
#include "trampoline.h"
#include "kprobe.h"
#endif
#include "family.h"

char __license[] SEC("license") = "Dual BSD/GPL";

/* inet_csk_destroy_sock() > tcp_v4_destroy_sock(): the socket is given up. */
TRACEPOINT("tcp_destroy_sock")
int BPF_PROG(destroy_sock, struct sock *sk)
{
	struct end *conn = find(sk);
	struct tcp_sock *tp;
	struct later later;
	__u32 last;

	if (!conn || !live)
		return 0;
	tp = tcp_of(sk);
	if (!(conn->flags & FLAG_ENDED) && tp) {
		missed_event();
		last = conn->path & 0xf;
		if (!(conn->flags & FLAG_TUPLE))
			read_tuple(TYPED, conn, tp);
		conn->path = conn->path << 4 | TCP_CLOSE;
		read_end(conn, tp, last);
		conn->flags |= FLAG_UNTRACKED;
	}
	if (!(conn->flags & FLAG_EMITTED) && !counted(conn))
		emit(conn, MESSAGE_END);
	if (conn->flags & FLAG_EMITTED && LOAD(sk, sk_lock.owned) && wanted(conn)) {
		clear(&later, sizeof(later));
		conn->call = CALL_NONE;
		set_closer(conn, CALL_CLOSE);
		later.call = conn->call;
		later.closer = conn->closer;
		later.unread = tp ? unread_of(TYPED, tp) : 0;
		emit_later(sk, MESSAGE_CLOSED, &later);
	}
	forget(conn);
	return 0;
}

/*
 * A retransmission is a chance to see whether a close() still waits: the only
 * sample that tracepoints give between its beginning and the FIN's acknowledgement.
 */
TRACEPOINT("tcp_retransmit_skb")
int BPF_PROG(retransmit_skb, struct sock *sk)
{
	struct end *conn = find((struct sock *)sk);

	if (!conn || !conn->lingering || conn->flags & FLAG_LEFT)
		return 0;
	if (!SOCK_FLAG(TYPED, sk, SOCK_DEAD))
		conn->waiting_us = us_since(conn->close_began);
	else if (!conn->orphaned_us)
		conn->orphaned_us = us_since(conn->close_began);
	return 0;
}
