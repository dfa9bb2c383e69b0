/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading the kernel's structures. If the verifier knows the pointer's type (tp_btf,
 * fentry, iterators), GET loads a field directly: `typed` is a constant, so that only one
 * of the two is compiled. READ follows pointers.
 */
#pragma once

/*
 * Gives a pointer a type that the verifier did not know, or makes it forget that it trusts
 * the pointer: for each load of a pointer by way of a trusted one it searches the names of
 * all the kernel's types (btf_find_by_name_kind), for most of a millisecond. A load that
 * faults is zero. Since 6.2 (a35b9af4ec2c); before, each field takes a probe read, ten times
 * as long.
 */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define AS_TYPED(pointer)                                                                          \
	((typeof(pointer))bpf_rdonly_cast(pointer, bpf_core_type_id_kernel(typeof(*(pointer)))))

/*
 * The programs at tracepoints are compiled twice. At typed ones the verifier knows their
 * arguments; raw ones (raw.bpf.c) need no types in the kernel, which refuses to load what is
 * attached by an ID in types that it does not have.
 */
#ifdef RAW
enum { TYPED = false };
#define TYPEABLE false
#define TRACEPOINT(name) SEC("raw_tp/" name)
#else
enum { TYPED = true };
#define TYPEABLE (bpf_rdonly_cast != NULL)
#define TRACEPOINT(name) SEC("tp_btf/" name)
#endif

#define READ(pointer, ...)                                                                         \
	({                                                                                         \
		typeof(((void)0, ___arrow(pointer, __VA_ARGS__))) __value; /* not volatile */       \
		if (TYPEABLE)                                                                      \
			__value = ___arrow(AS_TYPED(pointer), __VA_ARGS__);                        \
		else                                                                               \
			__value = BPF_CORE_READ(pointer, __VA_ARGS__);                             \
		__value;                                                                           \
	})

#define GET(typed, pointer, ...)                                                                   \
	({                                                                                         \
		typeof(((void)0, ___arrow(pointer, __VA_ARGS__))) __value;                          \
		if (typed)                                                                         \
			__value = ___arrow(pointer, __VA_ARGS__);                                  \
		else                                                                               \
			__value = READ(pointer, __VA_ARGS__);                                      \
		__value;                                                                           \
	})

/* A pointer out of a structure. */
#define POINTER(typed, ...) (TYPEABLE ? READ(__VA_ARGS__) : GET(typed, __VA_ARGS__))

#define GET_BITS(typed, pointer, field)                                                            \
	((typed) ? BPF_CORE_READ_BITFIELD(pointer, field) :                                        \
	 TYPEABLE ? BPF_CORE_READ_BITFIELD(AS_TYPED(pointer), field) :                             \
		   BPF_CORE_READ_BITFIELD_PROBED(pointer, field))

#define LOAD(pointer, ...) GET(TYPED, pointer, __VA_ARGS__)
