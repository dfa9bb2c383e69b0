/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sockets and processes, as several programs read them. */
#pragma once

/* Of a socket that is known to be one of TCP itself, not of MPTCP. */
static __always_inline struct tcp_sock *tcp_of(struct sock *sk)
{
	return TYPED ? bpf_skc_to_tcp_sock(sk) : (void *)sk;
}

static __always_inline bool flag(bool typed, struct sock *sk, __u64 bit)
{
	return GET(typed, sk, __sk_common.skc_flags) >> bit & 1;
}

#define SOCK_FLAG(typed, sk, name)                                                                 \
	flag(typed, sk, bpf_core_enum_value(enum sock_flags, name))

/* The last reference to a file is gone while its socket is being closed. */
static __always_inline bool file_is_dead(struct file *file)
{
	if (bpf_core_field_exists(((struct file___ref *)0)->f_ref)) {
		struct file___ref *f = (void *)file;
		/* include/linux/file_ref.h: FILE_REF_RELEASED and above are dead. */
		return (__u64)READ(f, f_ref.refcnt.counter) >= 0xc000000000000000ULL;
	}
	struct file___count *f = (void *)file;
	return READ(f, f_count.counter) == 0;
}

static __always_inline __u8 holder_of(struct sock *sk)
{
	struct socket *socket = READ(sk, sk_socket);
	struct file *file;

	if (!socket)
		return HOLDER_NONE;
	file = READ(socket, file);
	if (!file)
		return HOLDER_KERNEL;
	return file_is_dead(file) ? HOLDER_CLOSING : HOLDER_OPEN;
}

/* A global function: the verifier goes through it once, and not for each state there is. */
__noinline __u8 holder_at(__u64 sock)
{
	return holder_of((struct sock *)sock);
}

static __always_inline __u32 netns_of(struct sock *sk)
{
	return READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline struct net *net_of_segment(struct sk_buff *skb)
{
	struct net_device *dev = READ(skb, dev);
	struct dst_entry *dst;

	if (!dev) {
		dst = (void *)(READ(skb, _skb_refdst) & ~1UL); /* SKB_DST_NOREF */
		dev = READ(dst, dev);
	}
	return READ(dev, nd_net.net);
}

/* The verifier sees only one of the two: typed_task is a constant for it. */
static __always_inline struct task_struct *current_task(void)
{
	return typed_task ? bpf_get_current_task_btf() : (void *)bpf_get_current_task();
}

static __always_inline __u32 flags_of(struct task_struct *task)
{
	return GET(typed_task, task, flags);
}

static __always_inline void read_leader(struct owner *owner, struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);

	owner->start = READ(leader, start_boottime);
	bpf_core_read(owner->comm, sizeof(owner->comm), &leader->comm);
}

static __always_inline void read_owner(struct owner *owner, struct task_struct *task)
{
	read_leader(owner, task);
	owner->cgroup = READ(task, cgroups, dfl_cgrp, kn, id);
	owner->tgid = READ(task, tgid);
	owner->uid = READ(task, cred, uid.val);
	owner->execs = execs[owner->tgid % EXECS];
}

/* The same for the current task: what a helper returns need not be read by probes. */
static __always_inline void read_current(struct owner *owner)
{
	read_leader(owner, current_task());
	owner->cgroup = bpf_get_current_cgroup_id();
	owner->tgid = bpf_get_current_pid_tgid() >> 32;
	owner->uid = bpf_get_current_uid_gid();
	owner->execs = execs[owner->tgid % EXECS];
}

/* Only if the socket is owned: `current` is then its user. */
static __always_inline void set_owner(struct end *conn, __u8 source)
{
	if (flags_of(current_task()) & PF_KTHREAD)
		return;
	read_current(&conn->owner);
	conn->source = source;
}

/* A listener's process is only a guess: any process seen is better. */
static __always_inline bool guessed(const struct end *conn)
{
	return conn->source == SOURCE_NONE || conn->source == SOURCE_LISTENER;
}

static __always_inline void learn_owner(struct end *conn, __u8 source)
{
	if (guessed(conn))
		set_owner(conn, source);
}

/*
 * A process is seen with the socket. One that its acceptor's child is thought to own: the
 * child proves it, the acceptor disproves it.
 */
static __always_inline void settle_owner(struct end *conn, __u8 source)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (conn->source == SOURCE_FORK && tgid == conn->acceptor) {
		conn->acceptor = 0;
		source = SOURCE_ACCEPT;
	} else if (!guessed(conn) && (conn->source != SOURCE_FORK || tgid != conn->owner.tgid)) {
		return;
	}
	set_owner(conn, source);
}

static __always_inline void set_closer(struct end *conn, __u8 call)
{
	struct task_struct *task = current_task();
	struct task_struct *named = task;
	__u32 flags = flags_of(task);

	if (flags & PF_KTHREAD)
		return;
	conn->closer.tgid = GET(typed_task, task, tgid);
	conn->closer.tid = GET(typed_task, task, pid);
	conn->call = call;
	conn->signal = 0;
	if (call == CALL_CLOSE && flags & PF_EXITING) {
		conn->call = CALL_EXIT;
		conn->signal = GET(typed_task, task, exit_code) & 0x7f;
		/* Which thread drops the descriptors last is chance. */
		named = READ(task, group_leader);
	}
	bpf_core_read(conn->closer.comm, sizeof(conn->closer.comm), &named->comm);
}

static __always_inline void read_addresses(bool typed, struct sock *sk, __u8 *local,
					   __u8 *peer, __u8 family)
{
	if (family == AF_INET6 && bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		BPF_CORE_READ_INTO((struct in6_addr *)local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr *)peer, sk, __sk_common.skc_v6_daddr);
		return;
	}
	*(__be32 *)local = GET(typed, sk, __sk_common.skc_rcv_saddr);
	*(__be32 *)peer = GET(typed, sk, __sk_common.skc_daddr);
}

static __always_inline void read_listener(bool typed, struct listener_key *key, struct sock *sk,
					  __u32 netns)
{
	struct tcp_sock *tp = (void *)sk;
	__u8 peer[16] = {};

	key->netns = netns;
	/* That of sock_common is gone at LISTEN->CLOSE, if the kernel chose it. */
	key->port = bpf_ntohs(READ(tp, inet_conn.icsk_inet.inet_sport));
	key->family = GET(typed, sk, __sk_common.skc_family);
	read_addresses(typed, sk, key->address, peer, key->family);
}

/*
 * The listener of an incoming connection. In inet_csk_clone_lock the child has its
 * listener's address; since 6.15 (a3a128f611a9) and later on its own.
 */
static __always_inline struct listener *listener_of(bool typed, struct listener_key *key,
						    struct sock *sk, __u32 netns)
{
	struct listener *listener;

	read_listener(typed, key, sk, netns);
	listener = bpf_map_lookup_elem(&listeners, key);
	if (listener)
		return listener;
	__builtin_memset(key->address, 0, sizeof(key->address));
	return bpf_map_lookup_elem(&listeners, key);
}

/*
 * The tuple is complete from ESTABLISHED on, and wiped by tcp_disconnect. The
 * port of inet_sock stays, that of sock_common is gone at ->CLOSE.
 */
static __always_inline void read_tuple(bool typed, struct end *conn, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	conn->family = GET(typed, sk, __sk_common.skc_family);
	conn->local_port = bpf_ntohs(GET(typed, tp, inet_conn.icsk_inet.inet_sport));
	conn->peer_port = bpf_ntohs(GET(typed, sk, __sk_common.skc_dport));
	if (!conn->netns) /* else it is known since the entry was made */
		conn->netns = netns_of(sk);
	read_addresses(typed, sk, conn->local, conn->peer, conn->family);
}

/* Up to 5.18; tw_refcount since (6e0bab9a7d9f). */
struct inet_timewait_death_row___count {
	atomic_t tw_count;
} __attribute__((preserve_access_index));

/*
 * inet_twsk_alloc() makes no TIME_WAIT beyond tcp_max_tw_buckets, and
 * tcp_time_wait() then only ends the connection. Afterwards the last that was made
 * looks the same.
 */
static __always_inline bool time_waits_full(struct sock *sk)
{
	struct net *net = POINTER(TYPED, sk, __sk_common.skc_net.net);
	struct inet_timewait_death_row___count *old;
	int count;

	if (!bpf_core_field_exists(net->ipv4.tcp_death_row))
		return false;
	old = __builtin_preserve_access_index((void *)&net->ipv4.tcp_death_row);
	if (bpf_core_field_exists(old->tw_count))
		count = LOAD(old, tw_count.counter);
	else
		count = LOAD(net, ipv4.tcp_death_row.tw_refcount.refs.counter) - 1;
	return count >= LOAD(net, ipv4.tcp_death_row.sysctl_max_tw_buckets);
}

/*
 * The peer is behind another interface than lo. One that address translation
 * redirected to this host is recognised by its MSS: only lo has one so large.
 */
static __always_inline bool peer_elsewhere(struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;
	int leaves_by = READ(sk, sk_dst_cache, dev, ifindex);

	return leaves_by && leaves_by != LOOPBACK_IFINDEX &&
	       READ(tp, rx_opt.mss_clamp) < 0x8000;
}

/* Up to 5.16; sk_rx_dst_ifindex since (0c0a5ef809f9). */
struct inet_sock___rx {
	int rx_dst_ifindex;
} __attribute__((preserve_access_index));

/* The interface of the latest segment of which the socket keeps the route. */
static __always_inline int came_by(struct sock *sk)
{
	struct inet_sock___rx *inet = (void *)sk;

	if (bpf_core_field_exists(sk->sk_rx_dst_ifindex))
		return READ(sk, sk_rx_dst_ifindex);
	if (bpf_core_field_exists(inet->rx_dst_ifindex))
		return READ(inet, rx_dst_ifindex);
	return 0;
}
