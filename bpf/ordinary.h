/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ends with nothing to say are only counted, if package tracer asks for it: record
 * --abnormal. Each end is counted or sent, never both, so that what is counted and what
 * is sent add up; one for which there is no room to count is sent.
 */
#pragma once

const volatile bool count_ordinary = false;
bool send_ordinary; /* all the same, from now on */

enum { TALLIES = 4096, TALLY_TRIES = 16, TALLY_SHARDS = 4, KEPT = 32768 };

/*
 * Ends of one process at one port, since the trace began: never set back. Those of several
 * processors are counted apart, so that they do not write into one line of memory all the
 * time; user space adds them up.
 */
struct tally {
	struct owner owner;
	__u32 netns;
	__u16 port; /* on the host that listens */
	__u8 active; /* the owner had called connect() */
	__u8 shard;
	__u64 taken; /* 0: free, see take */
	__u64 ends;
	__u64 sent; /* bytes of payload that were acknowledged */
	__u64 received;
};

/*
 * In [0] are the numbers of all: taken, ends. The others are taken by hash, and given back
 * by package tracer. Mapped into user space: reading and writing needs no capability.
 * Sized by package tracer.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tally);
} tallies SEC(".maps");

struct kept {
	__u64 taken;
	struct end end;
};

/*
 * Ends that were only counted, two for each hash; the next one overwrites the older.
 * Evidence may come for them, see tell. Sized by package tracer.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} kept SEC(".maps");

/*
 * One taker at a time, on any processor, an interrupted one included; others do without.
 * 5.10 has no atomic operation that returns what was there, but who adds one to nothing
 * and then reads one is alone.
 */
static __always_inline bool take(volatile __u64 *taken)
{
	__sync_fetch_and_add(taken, 1);
	if (*taken == 1)
		return true;
	__sync_fetch_and_add(taken, -1);
	return false;
}

static __always_inline void give_back(volatile __u64 *taken)
{
	__sync_fetch_and_add(taken, -1);
}

/* Payload; the kernel counts the peer's FIN too. */
static __always_inline __u64 payload_received(const struct end *conn)
{
	/* Of a SYN with data and FIN (TCP Fast Open) the FIN is not counted. */
	return conn->bytes_received - (conn->flags & FLAG_DONE && conn->bytes_received ? 1 : 0);
}

/*
 * A client was turned away, or gave up waiting, or was not answered: package findings has
 * patterns for ends that look like that.
 */
static __always_inline bool one_sided(const struct end *conn)
{
	bool active = conn->flags & FLAG_ACTIVE, closed_first = conn->last != TCP_LAST_ACK;
	bool sent = conn->bytes_sent, received = payload_received(conn);

	if (!received)
		return closed_first && (sent || !active);
	return !sent && !active;
}

/*
 * Nothing of the end is worth a record: its verdict is graceful and its cause fin, by one
 * of the rules fin-active and fin-passive of model/rules.go, whatever comes later; tell
 * has the exceptions. Called when the socket is given up. TestOrdinaryEnds (package
 * tracer) compares it with the rules.
 */
static __always_inline bool ordinary(const struct end *conn)
{
	const __u32 needed = FLAG_ENDED | FLAG_DEAD | FLAG_TUPLE | FLAG_FIN_ACKED;
	const __u32 excluded = FLAG_PREEXISTING | FLAG_UNTRACKED | FLAG_NO_PORT | FLAG_EMITTED |
			       FLAG_REPAIR | FLAG_MPTCP | FLAG_TW_FULL | FLAG_FIN_UNSENT |
			       FLAG_LEFT | FLAG_WAITING | FLAG_RST_RECEIVED | FLAG_RST_HERE |
			       FLAG_RST_SENT_BEFORE | FLAG_RST_SENT_AFTER | FLAG_RST_REPLY_AFTER |
			       FLAG_RST_FLAG_SEEN | FLAG_RST_TRIED;

	if ((conn->flags & (needed | excluded)) != needed ||
	    !(conn->flags & (FLAG_ACTIVE | FLAG_PASSIVE)))
		return false;
	if (conn->last != TCP_FIN_WAIT2 && conn->last != TCP_LAST_ACK && conn->last != TCP_CLOSING)
		return false;
	if (conn->error | conn->soft_error | conn->icmp)
		return false;
	if (conn->linger | conn->lingering | conn->skipped || conn->linger2 < 0)
		return false;
	if (conn->unread | conn->unsent | conn->unacked | conn->retransmits | conn->late_data)
		return false;
	if (conn->source == SOURCE_NONE || conn->source == SOURCE_LISTENER || !conn->owner.tgid)
		return false;
	if (conn->call == CALL_EXIT || (conn->closer.tgid && conn->closer.tgid != conn->owner.tgid))
		return false;
	return conn->shutdown == 3 && !one_sided(conn);
}

static __always_inline __u16 service_port(const struct end *conn)
{
	return conn->flags & FLAG_ACTIVE ? conn->peer_port : conn->local_port;
}

static __always_inline bool tallies_this(const struct tally *t, const struct end *conn, __u8 shard)
{
	const __u64 *a = (const __u64 *)&t->owner, *b = (const __u64 *)&conn->owner;

	for (int i = 0; i < sizeof(struct owner) / sizeof(__u64); i++)
		if (a[i] != b[i])
			return false;
	return t->netns == conn->netns && t->port == service_port(conn) && t->shard == shard &&
	       t->active == (conn->flags & FLAG_ACTIVE);
}

static __always_inline struct tally *tally_at(__u32 slot)
{
	return bpf_map_lookup_elem(&tallies, &slot);
}

/* Two that take a place for the same at once both get one. */
static __always_inline struct tally *tally_of(const struct end *conn)
{
	__u8 shard = bpf_get_smp_processor_id() % TALLY_SHARDS;
	__u64 hash = (conn->owner.start ^ (__u64)conn->owner.tgid << 32 ^
		      (__u64)service_port(conn) << 16 ^ conn->netns ^ (__u64)shard << 8) *
		     0x9e3779b97f4a7c15ULL;
	struct tally *t, *all = tally_at(0);

	for (int i = 0; i < TALLY_TRIES; i++) {
		t = tally_at(1 + (__u32)((hash >> 40) + i) % (TALLIES - 1));
		if (!t || !all)
			return NULL;
		if (tallies_this(t, conn, shard))
			return t;
		if (*(volatile __u64 *)&t->taken || !take(&t->taken))
			continue;
		t->owner = conn->owner;
		t->netns = conn->netns;
		t->port = service_port(conn);
		t->shard = shard;
		t->active = conn->flags & FLAG_ACTIVE;
		__sync_fetch_and_add(&all->taken, 1);
		return t;
	}
	return NULL;
}

/* The same for an IPv4 address and for it as an IPv6 address. */
static __always_inline __u32 fold(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return words[0] ^ words[1] ^ words[3];
}

/* One of the two places for an end. */
static __always_inline struct kept *kept_at(const __u8 *peer, __u16 local_port, __u16 peer_port,
					    __u32 which)
{
	__u64 ends = (__u64)fold(peer) << 32 | (__u32)local_port << 16 | peer_port;
	__u32 slot = (ends * 0x9e3779b97f4a7c15ULL >> 40) % (KEPT / 2) * 2 + which;

	return bpf_map_lookup_elem(&kept, &slot);
}

/* Counts an ordinary end. If it was not counted it is to be sent. */
static __always_inline bool counted(struct end *conn)
{
	struct kept *k, *other;
	struct tally *t;

	if (!count_ordinary || send_ordinary || !ordinary(conn) || !wanted(conn))
		return false;
	t = tally_of(conn);
	k = kept_at(conn->peer, conn->local_port, conn->peer_port, 0);
	other = kept_at(conn->peer, conn->local_port, conn->peer_port, 1);
	if (!t || !k || !other)
		return false;
	if (other->end.ended < k->end.ended)
		k = other;
	if (!take(&k->taken))
		return false;
	conn->message = MESSAGE_END;
	conn->lost = losses;
	conn->counted = true;
	k->end = *conn;
	give_back(&k->taken);
	__sync_fetch_and_add(&t->ends, 1);
	__sync_fetch_and_add(&t->sent, conn->bytes_sent);
	__sync_fetch_and_add(&t->received, payload_received(conn));
	return true;
}

/*
 * Evidence for an end that may only have been counted: the end is sent before it. It may
 * be another one with some of its addresses; package tracer compares. If others are in
 * both places, the end may have been overwritten.
 */
static __always_inline void tell(struct later *about)
{
	__u32 others = 0;
	bool found = false;
	struct kept *k;

	if (!count_ordinary)
		return;
	/* 5.10 takes a loop only if its last jump goes back (check_cfg). */
#pragma unroll
	for (__u32 i = 0; i < 2; i++) {
		k = kept_at(about->peer, about->local_port, about->peer_port, i);
		if (!k || !k->end.sock || !take(&k->taken))
			continue;
		if (k->end.local_port != about->local_port || k->end.peer_port != about->peer_port ||
		    fold(k->end.peer) != fold(about->peer) || fold(k->end.local) != fold(about->local)) {
			others++;
		} else {
			found = true;
			if (k->end.message) /* else it was sent already */
				send(&k->end, sizeof(k->end), false);
			k->end.message = 0;
		}
		give_back(&k->taken);
	}
	about->unsure = !found && others == 2;
}
