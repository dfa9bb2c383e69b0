/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who fills the map of connections. One tenant must not take the others' places: it
 * gets a new one only while it has less than twice of what is free (the dynamic
 * threshold of switches that share memory, Choudhury and Hahne 1998). One that
 * wants all gets two thirds; a tenant with few always finds room. Nobody may be as many
 * tenants as he wants: see tenant_of.
 */
#pragma once

const volatile __u32 capacity = 65536; /* of conns */
const volatile __u64 tenant_seed = 0;  /* so that nobody chooses whom he shares a slot with */
const volatile __s32 batch = 1;        /* entries that a processor counts before it tells */
const volatile __s32 untold_most = 1;  /* of all processors */

/* The namespace of the host's own processes; 0: not known, then all are taken for it. */
const volatile __u32 host_netns = 0;

enum { TENANTS = 4096, TENANT_TRIES = 4 };

enum { LONG_AGO = 1 << 14 }; /* jiffies: 16 s to 164 s */

enum {
	WHOLE_NETNS = 0xffffffff, /* all users of the namespace */
	ROOTS_PORT = 0xfffe0000,  /* | port: what others open to a listener of root's */
};

/* Who has opened a connection, as far as it is known already. */
enum side { SIDE_UNKNOWN, SIDE_ACTIVE, SIDE_PASSIVE };

struct tenant {
	__u64 who;     /* netns << 32 | uid, WHOLE_NETNS or ROOTS_PORT */
	__s64 open;    /* entries in conns, without what processors have not told */
	__u64 refused; /* new connections that got none */
	__u64 last;    /* when one was counted, in LONG_AGO */
};

/*
 * [0] is all together. A slot is free if nothing was counted there for a while, and if it
 * has no more entries than processors may not have told. Two tenants that take one at the
 * same time share it; each entry knows its slot, so that counts stay right.
 * Mapped into user space: reading them needs no capability.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TENANTS);
	__type(key, __u32);
	__type(value, struct tenant);
} tenants SEC(".maps");

/*
 * What each processor has added to a tenant's entries and not told yet: less than a batch.
 * Without that, all processors would write into one line of memory with each connection.
 * Mapped into user space, too.
 */
struct part {
	__s32 open[TENANTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* as many as processors: set by package tracer */
	__type(key, __u32);
	__type(value, struct part);
} parts SEC(".maps");

/*
 * Who made the outermost user namespace around a socket that was not made by root, or 0.
 * A global function: the verifier goes through its loop once, and not for each state
 * there is.
 */
__noinline __u32 outermost_maker(__u64 address)
{
	struct user_namespace *ns = (void *)address;
	__u32 maker = 0;

	for (int i = 0; i < 33 && ns; i++) { /* create_user_ns(): the first has no parent */
		maker = READ(ns, owner.val) ?: maker;
		ns = READ(ns, parent);
	}
	return maker;
}

/* Root lends users uids by the 65,536 (subuid(5)): each such range is one user's. */
static __always_inline __u32 lender(__u32 uid)
{
	return uid < 0x10000 ? uid : uid & 0xffff0000;
}

/*
 * ROOTS_PORT with the port of a socket, if there is a listener for it: the port of what a
 * transparent proxy takes is whichever its client asks for.
 */
static __always_inline __u32 listeners_port(bool typed, struct sock *sk, __u32 netns)
{
	struct listener_key key = {};

	if (!listener_of(typed, &key, sk, netns))
		return 0;
	return ROOTS_PORT | key.port;
}

/*
 * Among the host's own processes each user is a tenant. A container is one as a whole: its
 * root may take any uid. In a user namespace anybody makes network namespaces, as many as
 * he wants: there who made it is the tenant or, if that was root, whose uids it has.
 * What others open to a listener of root's on this host counts for its port and not for root.
 */
static __always_inline __u64 tenant_of(bool typed, struct sock *sk, __u32 *netns, __u32 *nested,
				       enum side side)
{
	struct net *net = POINTER(typed, sk, __sk_common.skc_net.net);
	struct user_namespace *ns = POINTER(typed, net, user_ns);
	__u32 uid = lender(GET(typed, sk, sk_uid.val)), maker;

	*netns = GET(typed, net, ns.inum);
	*nested = 0;
	if (GET(typed, ns, level)) {
		*nested = FLAG_NESTED;
		ns = BPF_CORE_READ(net, user_ns); /* an address, without its type */
		maker = outermost_maker((__u64)ns);
		return maker ? lender(maker) : uid < 0x10000 ? WHOLE_NETNS : uid; /* 0 is nobody */
	}
	if (host_netns && *netns != host_netns)
		uid = WHOLE_NETNS;
	else if (!uid && side != SIDE_ACTIVE)
		uid = listeners_port(typed, sk, *netns) ?: side == SIDE_PASSIVE ? ROOTS_PORT : 0;
	return (__u64)*netns << 32 | uid;
}

static __always_inline struct tenant *tenant_at(__u32 slot)
{
	return bpf_map_lookup_elem(&tenants, &slot);
}

/*
 * The slot of a tenant, or 0 if the map could not be read. This and the next ones are
 * global functions for the verifier's sake.
 */
__noinline __u32 slot_of(__u64 who)
{
	__u64 hash = (who ^ tenant_seed) * 0x9e3779b97f4a7c15ULL;
	__u64 now = bpf_jiffies64() / LONG_AGO;
	__u32 slot = 0, unused = 0;
	struct tenant *t;

	for (int i = 0; i < TENANT_TRIES; i++) {
		slot = 1 + (__u32)((hash >> 40) + i) % (TENANTS - 1);
		t = tenant_at(slot);
		if (!t)
			return 0;
		if (t->who == who) {
			if (t->last != now)
				t->last = now;
			return slot;
		}
		if (!t->who || (!unused && t->open <= untold_most && now - t->last > 1))
			unused = slot;
	}
	if (!unused)
		return slot; /* with somebody else */
	t = tenant_at(unused);
	if (!t)
		return 0;
	t->who = who;
	t->last = now;
	t->refused = 0;
	return unused;
}

/* What this processor has not told. */
static __always_inline struct part *part_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&parts, &cpu);
}

/* Its count of a slot. */
static __always_inline __s32 *part_of(struct part *here, __u32 slot)
{
	barrier_var(slot); /* else the verifier does not see its bound */
	return &here->open[slot % TENANTS];
}

/* An interruption may tell the same once more: it is then taken off twice as well. */
static __always_inline void count_entry(struct tenant *t, __s32 *part, __s32 more)
{
	__s32 n;

	__sync_fetch_and_add(part, more);
	n = *(volatile __s32 *)part;
	if (n < batch && n > -batch)
		return;
	__sync_fetch_and_add(&t->open, (__s64)n);
	__sync_fetch_and_add(part, -n);
}

/* Whether a connection may have an entry. If so it is counted: entry_gone() takes it back. */
__noinline bool takes_entry(__u32 slot)
{
	struct tenant *all = tenant_at(0), *t = tenant_at(slot);
	struct part *here = part_here();
	__s64 open;

	if (!all || !t || !here)
		return true;
	open = all->open + here->open[0];
	if (open >= capacity || t->open + *part_of(here, slot) >= 2 * (capacity - open))
		return false;
	count_entry(all, here->open, 1);
	count_entry(t, part_of(here, slot), 1);
	return true;
}

__noinline int entry_gone(__u32 slot)
{
	struct tenant *all = tenant_at(0), *t = tenant_at(slot);
	struct part *here = part_here();

	if (!all || !t || !here)
		return 0;
	count_entry(all, here->open, -1);
	count_entry(t, part_of(here, slot), -1);
	return 0;
}

/* Its end is still reported, as less certain; other connections' ends keep their certainty. */
static __always_inline void entry_refused(__u32 slot)
{
	struct tenant *all = tenant_at(0), *t = tenant_at(slot);

	if (!all || !t)
		return;
	__sync_fetch_and_add(&t->refused, 1);
	__sync_fetch_and_add(&all->refused, 1);
}

static __always_inline bool some_refused(void)
{
	struct tenant *all = tenant_at(0);

	return all && all->refused;
}
