//go:build linux

package tracer

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Each program is in one part, whatever the number of processors, and no part has nearly all
// of the work while another one has none.
func TestSplitHasAllPrograms(t *testing.T) {
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{}}
	for name, length := range map[string]int{"a": 9, "b": 9, "c": 4, "d": 3, "e": 1, "f": 1} {
		spec.Programs[name] = &ebpf.ProgramSpec{Instructions: make(asm.Instructions, length)}
	}
	for processors, want := range map[int][]int{0: {27}, 1: {27}, 2: {14, 13}, 3: {9, 9, 9}, 64: {9, 9, 5, 4}} {
		parts := split(spec, processors)
		seen := map[string]bool{}
		var work []int
		for _, part := range parts {
			sum := 0
			for name, p := range part.Programs {
				if seen[name] {
					t.Errorf("%d processors: %s is in two parts", processors, name)
				}
				seen[name] = true
				sum += len(p.Instructions)
			}
			work = append(work, sum)
		}
		if len(seen) != len(spec.Programs) {
			t.Errorf("%d processors: %d programs of %d", processors, len(seen), len(spec.Programs))
		}
		if len(work) != len(want) || !slices.Equal(work, want) {
			t.Errorf("%d processors: %v instructions, want %v", processors, work, want)
		}
	}
}
