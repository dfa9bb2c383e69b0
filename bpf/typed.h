/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading the kernel's structures. If the verifier knows the pointer's type
 * (tp_btf, fentry, iterators), a field is loaded directly, else by a probe read:
 * `typed` is a constant, so that only one of the two is compiled. Pointers are read
 * by probes everywhere: for each load of a pointer the verifier of newer kernels
 * searches the names of all the kernel's types (btf_find_by_name_kind), for most of
 * a millisecond: three fifths of the time to start.
 */
#pragma once

#define GET(typed, pointer, ...)                                                                   \
	({                                                                                         \
		typeof(((void)0, ___arrow(pointer, __VA_ARGS__))) __value; /* not volatile */       \
		if (typed)                                                                         \
			__value = ___arrow(pointer, __VA_ARGS__);                                  \
		else                                                                               \
			__value = BPF_CORE_READ(pointer, __VA_ARGS__);                             \
		__value;                                                                           \
	})

#define GET_BITS(typed, pointer, field)                                                            \
	((typed) ? BPF_CORE_READ_BITFIELD(pointer, field) :                                        \
		   BPF_CORE_READ_BITFIELD_PROBED(pointer, field))

/*
 * The programs at tracepoints are compiled twice. At typed ones the verifier knows their
 * arguments; raw ones (raw.bpf.c) need no types in the kernel, which refuses to load what is
 * attached by an ID in types that it does not have.
 */
#ifdef RAW
enum { TYPED = false };
#define TRACEPOINT(name) SEC("raw_tp/" name)
#else
enum { TYPED = true };
#define TRACEPOINT(name) SEC("tp_btf/" name)
#endif

#define LOAD(pointer, ...) GET(TYPED, pointer, __VA_ARGS__)
