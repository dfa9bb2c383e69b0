//go:build linux

package tracer

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/bpf"
)

// TestResetAlone: one search of the kernel's table is for all ends that were reset at the same
// moment, also if only the first of them is due; the table may be too large to be searched soon again.
func TestResetAlone(t *testing.T) {
	a := newAssembler(translator{}, "test")
	const first = 1_000_000_000
	for i := range uint64(3) {
		e := sampleEnd(0xffff888000000000+i*4096, first+i*uint64(30*time.Millisecond))
		e.LocalPort += uint16(i)
		e.SndUna += uint32(i) // the fingerprint
		e.Flags |= bpf.TraceFlagFLAG_RST_RECEIVED
		a.hold(&e)
	}
	begin := ktime(first)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{hold - 1, 0}, {hold, 2}, {hold + 30*time.Millisecond, 3}} {
		if got := len(a.resetAlone(begin.add(c.after))); got != c.want {
			t.Errorf("%s after the first: %d ends are looked for, want %d", c.after, got, c.want)
		}
	}
	a.held.front().open = true
	if got := len(a.resetAlone(begin.add(hold + 30*time.Millisecond))); got != 2 {
		t.Errorf("one was found: %d ends are looked for, want 2", got)
	}
}
