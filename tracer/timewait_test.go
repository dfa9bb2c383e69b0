//go:build linux

package tracer

import (
	"testing"
	"time"
)

// TestTimeWaits: what is remembered is the last timeWaitMax, by the whole tuple,
// once, and for as long as the kernel keeps a TIME_WAIT.
func TestTimeWaits(t *testing.T) {
	tupleOf := func(i int) tuple {
		return tuple{localPort: uint16(i), netns: uint32(i >> 16)}
	}
	const added = timeWaitMax + 1000
	w := newTimeWaits()
	for i := range added {
		w.add(tupleOf(i), uint64(i+1), 1)
	}
	for i := range added {
		id, ok := w.take(tupleOf(i), 2)
		if want := i >= added-timeWaitMax; ok != want || ok && id != uint64(i+1) {
			t.Fatalf("take(%d) is %d, %v; want %v", i, id, ok, want)
		}
		if _, ok := w.take(tupleOf(i), 2); ok {
			t.Fatalf("take(%d) worked twice", i)
		}
	}
	w.add(tupleOf(1), 7, 1)
	w.add(tupleOf(1), 8, 1)
	if id, ok := w.take(tupleOf(1), 2); !ok || id != 8 {
		t.Errorf("of two connections with one tuple: %d, %v; want the later one, 8", id, ok)
	}
	w.add(tupleOf(2), 9, 1)
	if _, ok := w.take(tupleOf(2), ktime(1).add(timeWaitFor+time.Second)); ok {
		t.Error("a TIME_WAIT that is over was found")
	}
}
