//go:build linux

package tracer

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// ErrRingSleeps is returned by Open on a real-time kernel on which programs at
// tracepoints must not write to a ring buffer: they run with preemption off, and its lock
// is one that sleeps when two processors want it. The kernel then reports "scheduling
// while atomic" and its network stops. Fixed by 8b62645b09f8 ("bpf: Use raw_spinlock_t in
// ringbuf", 6.12), which was backported to 6.1 and 6.6. It matches
// [errors.ErrUnsupported].
var ErrRingSleeps = fmt.Errorf("this real-time kernel could hang, because the lock of its BPF ring buffers sleeps; "+
	"use Linux 6.12, a late 6.1 or 6.6, or a kernel that is not PREEMPT_RT: %w", errors.ErrUnsupported)

// checkRing returns ErrRingSleeps if the kernel is one of those.
func checkRing(kernel *btf.Spec) error {
	if parameters(kernel, "rt_spin_lock") != absent && ringLock(kernel) == "spinlock_t" {
		return ErrRingSleeps
	}
	return nil
}

// ringLock returns the name of the type of the lock of ring buffers, or "".
func ringLock(kernel *btf.Spec) string {
	var ring *btf.Struct
	if kernel.TypeByName("bpf_ringbuf", &ring) != nil {
		return ""
	}
	for _, m := range ring.Members {
		if m.Name == "spinlock" {
			return m.Type.TypeName()
		}
	}
	return ""
}
