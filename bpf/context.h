/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What programs are called with: UAPI, which does not change between kernels, and the
 * contexts of iterators, which are relocated. */
#pragma once

/* include/uapi/linux/bpf.h: the contexts of cgroup programs. */
struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__u32 src_ip4;
	__u32 src_ip6[4];
	__u32 src_port;
	__be16 dst_port;
	__u16 : 16;
	__u32 dst_ip4;
	__u32 dst_ip6[4];
	__u32 state;
};

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;
	__u32 user_ip6[4];
	__u32 user_port;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 msg_src_ip4;
	__u32 msg_src_ip6[4];
	union {
		struct bpf_sock *sk;
		__u64 : 64;
	} __attribute__((aligned(8)));
};

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

/* Registers, for kprobes (bpf_tracing.h chooses by __TARGET_ARCH_*). */
#define __VMLINUX_H__

struct pt_regs {
	unsigned long si;
	unsigned long di;
	unsigned long dx;
	unsigned long cx;
	unsigned long r8;
	unsigned long ax;
} __attribute__((preserve_access_index));

struct user_pt_regs {
	unsigned long regs[31];
} __attribute__((preserve_access_index));

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_iter_meta {
	struct seq_file *seq;
};

/* kernel/bpf/task_iter.c */
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop
