//go:build linux

package tracer

import (
	"bytes"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// TestCheckRing knows what the types of Debian's kernels declare (bpftool btf dump).
// On 5.10.0-43-rt with four processors the kernel said "BUG: scheduling while
// atomic", from rt_spin_lock in __bpf_ringbuf_reserve, and its network stood still.
func TestCheckRing(t *testing.T) {
	for _, k := range []struct {
		name, lock string
		realTime   bool
		refused    bool
	}{
		{"5.10.0-43-rt-amd64", "spinlock_t", true, true},
		{"6.1.0-56-rt-amd64", "raw_spinlock_t", true, false},
		{"5.10.0-46-cloud-amd64", "spinlock_t", false, false},
	} {
		t.Run(k.name, func(t *testing.T) {
			if err := checkRing(kernelTypes(t, k.lock, k.realTime)); (err != nil) != k.refused {
				t.Errorf("got %v, want it refused: %v", err, k.refused)
			}
		})
	}
}

// kernelTypes returns types of a kernel whose ring buffers have that lock.
func kernelTypes(t *testing.T, lock string, realTime bool) *btf.Spec {
	t.Helper()
	number := &btf.Int{Name: "unsigned int", Size: 4}
	types := []btf.Type{&btf.Struct{Name: "bpf_ringbuf", Size: 4, Members: []btf.Member{
		{Name: "spinlock", Type: &btf.Typedef{Name: lock, Type: number}},
	}}}
	if realTime {
		types = append(types, &btf.Func{Name: "rt_spin_lock", Linkage: btf.GlobalFunc, Type: &btf.FuncProto{
			Return: &btf.Void{}, Params: []btf.FuncParam{{Name: "lock", Type: number}},
		}})
	}
	builder, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := builder.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
