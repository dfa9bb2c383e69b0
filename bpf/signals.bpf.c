//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Which processes were signalled to end, and by whom: a supervisor enforces its timeout
 * by a signal, after which the worker closes its connections itself. This is a separate
 * object: nothing of it runs at an end, and if it can't be loaded the ends say less.
 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "typed.h"

struct told {
	__u64 time; /* CLOCK_MONOTONIC, ns */
	__u32 number;
	__u32 sender; /* tgid; 0: the kernel */
	__u8 sender_comm[16]; /* of its thread */
};

/*
 * The last two signals from others to a process: one that does not end soon enough
 * is killed. User space reads the map's memory.
 */
struct signalled {
	struct told last;
	struct told before;
	__u32 tgid;
	__u32 pad;
};

enum {
	SIGNALLED = 4096, /* slots; of two processes that share one, the later takes it over */
	/* SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGTERM: by these a supervisor ends a worker. */
	ENDING = 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9 | 1 << 15,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SIGNALLED);
	__type(key, __u32);
	__type(value, struct signalled);
} signals SEC(".maps");

char __license[] SEC("license") = "Dual BSD/GPL";

struct kernel_siginfo {
	int si_code;
} __attribute__((preserve_access_index));

/*
 * Whether the kernel itself sends: the OOM killer and the terminal by SEND_SIG_PRIV, files
 * and timers with a siginfo (include/uapi/asm-generic/siginfo.h). `current` is then whoever
 * was interrupted, or asked for memory; but if it exits, others end with it: the init of a
 * container (zap_pid_ns_processes), a tracer (PTRACE_O_EXITKILL). Everybody may send any
 * negative code (do_rt_sigqueueinfo); such a siginfo is on the stack of the caller, a
 * timer's is not.
 */
static __always_inline bool from_kernel(__u64 info)
{
	enum { SEND_SIG_NOINFO, SEND_SIG_PRIV, SI_TIMER = -2, STACK = 1 << 14 };
	struct task_struct *task = (void *)bpf_get_current_task();
	int code;

	if (info == SEND_SIG_NOINFO) /* as of kill() */
		return false;
	if (info == SEND_SIG_PRIV)
		return !(BPF_CORE_READ(task, flags) & PF_EXITING);
	code = BPF_CORE_READ((struct kernel_siginfo *)info, si_code);
	return code > 0 || (code == SI_TIMER && info - (__u64)BPF_CORE_READ(task, stack) >= STACK);
}

/* __send_signal_locked(), in the context of the sender. result 0 is TRACE_SIGNAL_DELIVERED. */
TRACEPOINT("signal_generate")
int BPF_PROG(signal_sent, int number, void *info, struct task_struct *task, int group, int result)
{
	__u32 sender = bpf_get_current_pid_tgid() >> 32, tgid = LOAD(task, tgid), key = tgid % SIGNALLED;
	struct signalled *s;
	__u64 address = 0; /* of info, as a number */

	if (number <= 0 || number > 15 || !(ENDING >> number & 1) || result)
		return 0;
	bpf_probe_read_kernel(&address, sizeof(address), &ctx[1]);
	if (from_kernel(address))
		sender = 0;
	if (tgid == sender)
		return 0;
	s = bpf_map_lookup_elem(&signals, &key);
	if (!s)
		return 0;
	if (s->tgid == tgid)
		s->before = s->last;
	else
		s->before.time = 0;
	s->tgid = 0; /* the reader must not mix two */
	s->last.time = bpf_ktime_get_ns();
	s->last.number = number;
	s->last.sender = sender;
	if (sender)
		bpf_get_current_comm(s->last.sender_comm, sizeof(s->last.sender_comm));
	else
		__builtin_memset(s->last.sender_comm, 0, sizeof(s->last.sender_comm));
	s->tgid = tgid;
	return 0;
}
