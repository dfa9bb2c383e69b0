/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What package tracer does by itself if the types of the kernel are those of a file. */
#pragma once

/*
 * Who holds which socket, by its inode: found in /proc after the attach, in place of
 * the iterator task_file. Sized by package tracer.
 */
#ifdef RAW
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct owner);
} held SEC(".maps");

struct end own; /* our own listener, as these types show it: see hertz_port */
#endif

/* The owner of a connection that is older than the trace. */
static __always_inline void read_held(struct end *conn, struct sock *sk)
{
#ifdef RAW
	__u64 inode = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	struct owner *owner = bpf_map_lookup_elem(&held, &inode);

	if (!owner)
		return;
	conn->owner = *owner;
	conn->source = SOURCE_ITERATOR;
#endif
}

/* What package tracer knows: with the types of another kernel it is something else. */
static __always_inline void show_own(struct tcp_sock *tp)
{
#ifdef RAW
	read_tuple(TYPED, &own, tp);
	read_current(&own.owner);
	own.linger2 = LOAD(tp, linger2);
	own.user_timeout = LOAD(tp, inet_conn.icsk_user_timeout);
#endif
}
