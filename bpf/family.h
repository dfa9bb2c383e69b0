/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which processes are followed: one, and what it and its children start; who executes. */
#pragma once

/*
 * kernel_clone(), in the context of the parent and before the child runs. A PID
 * keeps its mark after the process has ended, because its last connections may end
 * later; the next process with this PID is marked anew. Loaded only to follow.
 */
TRACEPOINT("sched_process_fork")
int BPF_PROG(fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = LOAD(child, tgid), key = tgid / MARKS;
	struct marks *marks;

	if (tgid == LOAD(parent, tgid)) /* a thread */
		return 0;
	marks = bpf_map_lookup_elem(&family, &key);
	if (marks)
		marks->followed[tgid % MARKS] = is_followed(LOAD(parent, tgid));
	return 0;
}

/*
 * exec_binprm(), in the context of the process, after the new program has taken the
 * place of the old one and before it runs.
 */
TRACEPOINT("sched_process_exec")
int BPF_PROG(executed, struct task_struct *task)
{
	__sync_fetch_and_add(&execs[(__u32)LOAD(task, tgid) % EXECS], 1);
	return 0;
}
