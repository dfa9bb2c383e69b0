/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Configuration, maps, and the way out of the kernel. */
#pragma once

/* Set by package tracer before loading. */
const volatile __u32 copies = 1;       /* of programs that must see every event */
const volatile __u64 wake_at = 0;      /* bytes in the ring from which the reader is woken */
const volatile __u32 filter_netns = 0; /* 0: no filter */
const volatile bool filter_family = false;
const volatile __u32 filter_port = 0;
/* The peer's network, as an IPv6 address (RFC 4291, 2.5.5.2), in memory's order. */
const volatile __u64 filter_peer[2] = {0};
const volatile __u64 filter_mask[2] = {0}; /* 0: no filter */
/* enum close_effect by state and marks: the table is that of package model. */
const volatile __u8 on_close[16 * CLOSE_MARKS] = {0};
const volatile bool typed_task = false; /* bpf_get_current_task_btf() is offered: since 5.15 */

/*
 * Every connection, from SYN to tcp_destroy_sock; the programs at those two ends
 * insert and delete. Keyed by the address of the socket, never by the tuple:
 * addresses are reused at once, so that a new connection overwrites whatever value
 * is there. Sized by package tracer.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct end);
} conns SEC(".maps");

enum { MARKS = 64 };

/* A byte for each PID, because 5.10 has no atomic operations on bits. */
struct marks {
	__u8 followed[MARKS];
};

/*
 * Processes to follow, by PID / MARKS. Sized by package tracer: for all PIDs
 * (PID_MAX_LIMIT, include/linux/threads.h) or, if none is followed, for none.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct marks);
} family SEC(".maps");

static __always_inline bool is_followed(__u32 tgid)
{
	__u32 key = tgid / MARKS;
	struct marks *marks = bpf_map_lookup_elem(&family, &key);

	return marks && marks->followed[tgid % MARKS];
}

/*
 * How often the process with a PID has executed a program since the trace began, or
 * another one with the same slot: user space compares it with what an owner had,
 * before it believes what /proc says about a program. Mapped into user space:
 * reading needs no capability.
 */
enum { EXECS = 1 << 17 };
__u32 execs[EXECS];

/*
 * What an entry begins as: [0] for a new connection, the others for one that is
 * older than the trace, by its state. They are not on the stack because the
 * verifier tracks every eight bytes of that.
 */
#define OLDER(state) [state] = { .flags = FLAG_PREEXISTING, .path = state }

const struct end blank[16] = {
	OLDER(TCP_ESTABLISHED), OLDER(TCP_SYN_SENT),  OLDER(TCP_SYN_RECV), OLDER(TCP_FIN_WAIT1),
	OLDER(TCP_FIN_WAIT2),   OLDER(TCP_TIME_WAIT), OLDER(TCP_CLOSE),    OLDER(TCP_CLOSE_WAIT),
	OLDER(TCP_LAST_ACK),    OLDER(TCP_LISTEN),    OLDER(TCP_CLOSING),
};

struct listener_key {
	__u32 netns;
	__u16 port;
	__u16 family;
	__u8 address[16]; /* all zero: any */
};

/*
 * Several sockets listen at one address by SO_REUSEPORT, at several devices, and for a
 * moment in a listen() that fails. The owner is told only while all are of one process.
 */
struct listener {
	struct owner owner; /* of the first */
	__u64 sock;	    /* the first */
	__u32 sockets;
	__u32 strangers; /* sockets of other processes */
};

/* Who listens; the least recently used entry goes: all are hints only. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct listener_key);
	__type(value, struct listener);
} listeners SEC(".maps");

enum { ACCEPTS = 4096 };

struct accepting {
	__u64 thread;
	__u64 sock;
};

/* What each thread accepted last, by thread % ACCEPTS: see inherit. Hints only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ACCEPTS);
	__type(key, __u32);
	__type(value, struct accepting);
} accepts SEC(".maps");

/* What stops a listener, by thread: until its children have ended. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32); /* enum call */
} stopping SEC(".maps");

/* Holds struct end too; the type is named for bpf2go. Sized by package tracer. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 32 << 20);
	__type(value, struct later);
} messages SEC(".maps");

/* Per-CPU losses, mapped into user space: reading them needs no capability. */
enum { CPUS = 1024 };

/* Of each CPU, in a second: a flood of resets must not push out ends. */
enum { STRAYS = 256 };

struct cpu_counters { /* one cache line for each CPU */
	__u64 ring;   /* ends for which the ring buffer was full */
	__u64 table;  /* conns took no entry: no memory */
	__u64 missed; /* events that the kernel did not show, found out later */
	__u64 sock;   /* what one of the copies has just done, see copy_did */
	__u64 event;
	__u64 stray_second; /* in which `strays` were sent */
	__u64 strays;
	__u64 strays_more; /* resets without a socket beyond STRAYS a second */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CPUS);
	__type(key, __u32);
	__type(value, struct cpu_counters);
} counters SEC(".maps");

/*
 * Set while all programs are attached: before and after, nothing is followed. They
 * attach one by one, on a busy machine for seconds: until all are live they could
 * see a close but miss its RST, or an end but not the freeing of its socket. While
 * they are detached one by one, they would report missed events.
 */
bool live;

/*
 * Port of closetrace's own listener with SO_LINGER {1,100}, written by package
 * tracer while it listens, and that time in jiffies: 100 * CONFIG_HZ.
 */
__u32 hertz_port;
__u64 hertz100;
/* When it began to listen, by the kernel's own clocks: see package tracer, learn. */
__u64 hertz_monotonic;
__u64 hertz_boottime;

/* Total of losses, which every message carries. Written only when one happens. */
__u64 losses;

/* Of these, messages other than ends that found the ring buffer full. */
__u64 lost_later;

static __always_inline struct cpu_counters *count(void)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPUS - 1);

	return bpf_map_lookup_elem(&counters, &cpu);
}

static __always_inline void lost_message(bool end)
{
	struct cpu_counters *c = count();

	if (!end)
		__sync_fetch_and_add(&lost_later, 1);
	else if (c)
		__sync_fetch_and_add(&c->ring, 1);
	__sync_fetch_and_add(&losses, 1);
}

static __always_inline void lost_entry(void)
{
	struct cpu_counters *c = count();

	if (c)
		__sync_fetch_and_add(&c->table, 1);
	__sync_fetch_and_add(&losses, 1);
}

/*
 * The kernel does not run a program that interrupts itself: a softirq while a
 * system call changes a state; since 7.x, where tracepoints are preemptible, also
 * another task, for as long as the first one waits (__bpf_trace_run, 05b24ff9b2cf).
 * Disabling interrupts would not help: they come back before the program has
 * returned. Programs that must see every event are therefore loaded several times:
 * while one is interrupted the next works. Usually all run, and the others find
 * here that the first has worked. If an interruption has overwritten the note,
 * another one works again, which must do no harm.
 */
static __always_inline bool copy_did(void *sk, __u64 event)
{
	struct cpu_counters *c = count();

	if (!c)
		return false;
	if (c->sock != (__u64)sk || (__u32)c->event != event) {
		c->sock = (__u64)sk;
		c->event = event | (__u64)(copies - 1) << 32; /* how many will look */
		return false;
	}
	if (c->event >> 32 > 1)
		c->event -= 1ULL << 32;
	else
		c->sock = 0;
	return true;
}

/* Whether one more reset without a socket may be sent now; otherwise it is counted. */
static __always_inline bool stray_allowed(void)
{
	struct cpu_counters *c = count();
	__u64 second = bpf_ktime_get_ns() >> 30;

	if (!c)
		return false;
	if (c->stray_second != second) {
		c->stray_second = second;
		c->strays = 0;
	}
	if (c->strays++ < STRAYS)
		return true;
	c->strays_more++;
	return false;
}

/* An event was still not seen. */
static __always_inline void missed_event(void)
{
	struct cpu_counters *c = count();

	if (c)
		__sync_fetch_and_add(&c->missed, 1);
	__sync_fetch_and_add(&losses, 1);
}

/*
 * Waking the reader costs 6 to 14 us, a record without 0.2 us: the reader
 * polls, and is woken only before the ring overflows.
 */
static __always_inline __u64 wakeup(void)
{
	return bpf_ringbuf_query(&messages, BPF_RB_AVAIL_DATA) > wake_at ? BPF_RB_FORCE_WAKEUP :
									   BPF_RB_NO_WAKEUP;
}

static __always_inline void send(void *message, __u64 size, bool end)
{
	if (bpf_ringbuf_output(&messages, message, size, wakeup()))
		lost_message(end);
}
