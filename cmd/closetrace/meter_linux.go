package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/closetrace/closetrace/internal/procstat"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// meter measures what a running trace costs. Any goroutine may ask it.
type meter struct {
	source  *tracer.Tracer
	helpers []int
	maps    uint64

	began time.Time
	cpu   time.Duration // until then
	seen  func() uint64 // connection ends since then

	mutex     sync.Mutex
	measuring io.Closer // nil: the kernel does not measure, or not any more
	earlier   tracer.Cost
	cost      model.Cost // what is known of BPF
	timer     *time.Timer
}

// The kernel measures the first runs of BPF programs, for a time at most: all of the host
// take longer meanwhile (see costHelp), which was a quarter of what a trace costs.
const (
	measureRuns = 200_000 // of about 16,000 ends
	measureFor  = time.Minute
	measureLook = 200 * time.Millisecond
)

// newMeter begins to measure. It is called before privileges are dropped: only then can
// the kernel be asked to measure, and the maps be looked at.
func newMeter(source *tracer.Tracer, helpers []int) *meter {
	m := &meter{source: source, helpers: helpers}
	m.measuring, _ = tracer.MeasurePrograms() // a group's member may not
	m.earlier, _ = source.Cost()
	m.maps = m.earlier.Maps
	return m
}

// begin sets the beginning. seen counts the connection ends from then on.
func (m *meter) begin(seen func() uint64) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.seen, m.began, m.cpu = seen, time.Now(), m.processors()
	if m.measuring != nil {
		m.timer = time.AfterFunc(measureLook, m.look)
	}
}

// processors is the CPU time of this process and of its helpers. That of helpers is in
// ticks of 10 ms, and 0 where /proc hides them.
func (m *meter) processors() time.Duration {
	sum := cpuTime()
	for _, pid := range m.helpers {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if stat, ok := procstat.Parse(text); err == nil && ok {
			sum += time.Duration(stat.CPU) * procstat.Tick
		}
	}
	return sum
}

// now returns what the trace has cost until now.
func (m *meter) now() model.Cost {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.seen == nil {
		return model.Cost{}
	}
	m.readPrograms()
	c := m.cost
	c.Duration, c.Maps = model.Some(time.Since(m.began)), m.maps
	c.Ends, c.CPU = model.Some(m.seen()), model.Some(m.processors()-m.cpu)
	c.Memory, _ = ownMemory()
	return c
}

// readPrograms reads what the kernel has measured; with mutex held.
func (m *meter) readPrograms() {
	if m.measuring == nil || m.seen == nil {
		return
	}
	programs, err := m.source.ProgramCosts()
	if err != nil {
		return // in the sandbox before 5.19, without CAP_BPF
	}
	now := tracer.Cost{Programs: programs}
	m.cost.BPF, m.cost.BPFRuns = model.Some(now.Time()-m.earlier.Time()), model.Some(now.Runs()-m.earlier.Runs())
	m.cost.BPFDuration, m.cost.BPFEnds = model.Some(time.Since(m.began)), model.Some(m.seen())
}

// look ends it when enough is known, or if what is known can't be read.
func (m *meter) look() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.readPrograms()
	if runs, known := m.cost.BPFRuns.Get(); !known || runs >= measureRuns || time.Since(m.began) >= measureFor {
		m.endMeasuring()
		return
	}
	m.timer.Reset(measureLook)
}

// endMeasuring is called with mutex held.
func (m *meter) endMeasuring() {
	if m.measuring != nil {
		_ = m.measuring.Close()
		m.measuring = nil
	}
}

// programs is the run time of the BPF programs until now: after it was measured, what it would
// be if all ends were like those.
func (m *meter) programs() (spent time.Duration, known bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.seen == nil {
		return 0, false
	}
	m.readPrograms()
	spent, known = m.cost.BPF.Get()
	if ends := m.cost.BPFEnds.Or(0); ends > 0 {
		spent = time.Duration(float64(spent) * float64(m.seen()) / float64(ends))
	}
	return spent, known
}

// close ends it; what was measured stays. It may be called twice.
func (m *meter) close() {
	if m == nil {
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.timer != nil {
		m.timer.Stop()
	}
	m.readPrograms()
	m.endMeasuring()
}
