//go:build linux

package tracer

import (
	"io"
	"testing"
	"unsafe"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// fakeVariable stands for a global variable of the programs.
type fakeVariable struct {
	value uint64
	set   func(value any)
}

func (v *fakeVariable) Get(to any) error {
	*to.(*uint64) = v.value
	return nil
}

func (v *fakeVariable) Set(value any) error {
	if v.set != nil {
		v.set(value)
	}
	return nil
}

// fakeCounters is what the programs count.
type fakeCounters struct {
	cpus         int
	all          [4]bpf.TraceCpuCounters
	total, later fakeVariable
}

// ReadAt implements io.ReaderAt, over the processors that the kernel has.
func (f *fakeCounters) ReadAt(b []byte, at int64) (int, error) {
	size := int(unsafe.Sizeof(f.all[0])) * f.cpus
	all := unsafe.Slice((*byte)(unsafe.Pointer(&f.all)), size)
	if int(at) >= size {
		return 0, io.EOF
	}
	return copy(b, all[at:]), nil
}

func (f *fakeCounters) losses() *lossCounters {
	return &lossCounters{memory: f, cpus: f.cpus, total: &f.total, later: &f.later}
}

func (f *fakeCounters) add(cpu int, c bpf.TraceCpuCounters) {
	a := &f.all[cpu]
	a.Ring, a.Table, a.Missed, a.StraysMore = a.Ring+c.Ring, a.Table+c.Table, a.Missed+c.Missed, a.StraysMore+c.StraysMore
}

// TestLossReport: each kind of loss is reported once, under its own name, with the sum
// over all processors and the time when it was found.
func TestLossReport(t *testing.T) {
	f := &fakeCounters{cpus: 3}
	l := f.losses()
	report := func(at model.Time) map[string]uint64 {
		told := map[string]uint64{}
		l.report(at, func(e *model.Event) bool {
			if e.Kind != model.KindLoss || e.Loss.Time != at {
				t.Errorf("got %+v, want a loss at %d", e, at)
			}
			told[e.Loss.Where] += e.Loss.Count
			return true
		})
		return told
	}
	check := func(got, want map[string]uint64) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for where, n := range want {
			if got[where] != n {
				t.Errorf("%s: got %d, want %d", where, got[where], n)
			}
		}
	}
	check(report(1), nil)
	f.add(0, bpf.TraceCpuCounters{Ring: 1, Table: 10, Missed: 100})
	f.add(2, bpf.TraceCpuCounters{Ring: 2, Table: 20, Missed: 200})
	f.later.value = 7
	check(report(2), map[string]uint64{"ring-buffer": 3, "connection-table": 30, "hook": 300, "late-evidence": 7})
	check(report(3), nil)
	f.add(1, bpf.TraceCpuCounters{Ring: 5})
	f.later.value = 8
	check(report(4), map[string]uint64{"ring-buffer": 5, "late-evidence": 1})
}

// TestLossReportStops: a consumer that has stopped gets nothing more.
func TestLossReportStops(t *testing.T) {
	f := &fakeCounters{cpus: 1}
	f.add(0, bpf.TraceCpuCounters{Ring: 1, Table: 1, Missed: 1})
	told := 0
	f.losses().report(1, func(*model.Event) bool {
		told++
		return false
	})
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

// TestEpoch: messages carry the lower 32 bits of the total.
func TestEpoch(t *testing.T) {
	f := &fakeCounters{cpus: 1, total: fakeVariable{value: 1<<32 + 5}}
	if got := f.losses().epoch(); got != 5 {
		t.Errorf("got %d, want 5", got)
	}
}

// TestMoreStrays: they are counted since the last time, and are not a loss.
func TestMoreStrays(t *testing.T) {
	f := &fakeCounters{cpus: 2}
	l := f.losses()
	f.add(0, bpf.TraceCpuCounters{StraysMore: 3})
	f.add(1, bpf.TraceCpuCounters{StraysMore: 4})
	if got := l.moreStrays(); got != 7 {
		t.Errorf("got %d, want 7", got)
	}
	if got := l.moreStrays(); got != 0 {
		t.Errorf("again: got %d, want 0", got)
	}
	l.report(1, func(e *model.Event) bool {
		t.Errorf("told as %+v", e)
		return true
	})
}
