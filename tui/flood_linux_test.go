package tui

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// flood is a source of rate ends a second, in bursts of a millisecond, until
// it is stopped. Its records are made beforehand, so that its own cost is that
// of a copy.
type flood struct {
	rate    int
	records []model.Record
	stop    chan struct{}
	sent    uint64
}

func newFlood(rate int) *flood {
	return &flood{rate: rate, records: feed(4096, at, time.Millisecond), stop: make(chan struct{})}
}

func (f *flood) events(yield func(model.Record, error) bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for {
		select {
		case <-f.stop:
			return
		case now := <-tick.C:
			due := uint64(now.Sub(begin).Seconds() * float64(f.rate))
			when := model.TimeOf(now)
			for ; f.sent < due; f.sent++ {
				r := &f.records[f.sent%uint64(len(f.records))]
				r.Teardown.Time = when
				if !yield(*r, nil) {
					return
				}
			}
		}
	}
}

// TestFloodChild is not a test: it is the program that TestFlood and
// TestTraffic measure, in a process of its own.
func TestFloodChild(t *testing.T) {
	rate, err := strconv.Atoi(os.Getenv("CLOSETRACE_FLOOD"))
	if err != nil {
		t.Skip("runs as the child of other tests")
	}
	f := newFlood(rate)
	var seen uint64
	err = Run(t.Context(), func(yield func(model.Record, error) bool) {
		f.events(func(r model.Record, err error) bool {
			seen++
			return yield(r, err)
		})
	}, Config{Start: demoStart, Stop: sync.OnceFunc(func() { close(f.stop) })})
	_ = os.WriteFile(os.Getenv("CLOSETRACE_FLOOD_REPORT"), fmt.Appendf(nil, "%d %d %v", f.sent, seen, err), 0o600)
}

// measured is what a child used.
type measured struct {
	cpu     float64 // of one processor
	memory  int64   // resident at most, in kB
	rate    float64 // kB/s to the terminal
	sent    uint64
	answers []time.Duration
}

// measure runs the program with a source of rate ends a second while use
// presses keys.
func measure(t *testing.T, rate int, use func(*terminal) []time.Duration) measured {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report")
	p := openTerminal(t, 120, 40, true)
	child := exec.Command(os.Args[0], "-test.run=^TestFloodChild$")
	child.Env = append(os.Environ(), fmt.Sprintf("CLOSETRACE_FLOOD=%d", rate), "CLOSETRACE_FLOOD_REPORT="+report, "TERM=xterm-256color")
	child.Stdin, child.Stdout, child.Stderr = p.slave, p.slave, p.slave
	started := time.Now()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	p.waitFor("closes/s")
	time.Sleep(time.Second) // the first screens are drawn as a whole
	began, wrote := time.Now(), p.written()
	answers := use(p)
	traffic := float64(p.written()-wrote) / time.Since(began).Seconds() / 1000
	took := time.Since(started)
	p.typed("q")
	if err := child.Wait(); err != nil {
		t.Fatalf("child: %v\n%s", err, p.text())
	}
	var m measured
	var seen uint64
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(data), &m.sent, &seen); err != nil || m.sent != seen || !strings.HasSuffix(string(data), "<nil>") {
		t.Fatalf("the child reports %q: %v", data, err)
	}
	state := child.ProcessState
	m.cpu = (state.UserTime() + state.SystemTime()).Seconds() / took.Seconds()
	m.rate, m.answers = traffic, answers
	m.memory = state.SysUsage().(*syscall.Rusage).Maxrss
	slices.Sort(m.answers)
	return m
}

// TestFlood: at 100,000 ends a second keys are answered, and the processor
// time of source, intake and screen together is bounded.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of a processor")
	}
	m := measure(t, 100_000, func(p *terminal) (answers []time.Duration) {
		steps := []struct{ key, want string }{
			{"3", "[3 Causes]"},
			{"4", "[4 Processes]"},
			{"5", "[5 Peers]"},
			{"2", "[2 Stream]"},
			{"?", "Signs"},
			{"?", "VERDICT"},
			{" ", "PAUSED"},
			{" ", "closes/s"},
		}
		for i := range 32 {
			step := steps[i%len(steps)]
			p.typed(step.key)
			took := p.waitFor(step.want)
			if took > 150*time.Millisecond {
				t.Logf("step %d, %q: %v", i, step.key, took)
			}
			answers = append(answers, took)
			time.Sleep(200 * time.Millisecond) // a user's pace; nothing waits for it
		}
		return answers
	})
	median, worst := m.answers[len(m.answers)/2], m.answers[len(m.answers)-1]
	t.Logf("%d ends: %.1f %% of a processor, %.1f kB/s, %d MB; keys answered after %v, at worst %v", m.sent, m.cpu*100, m.rate, m.memory/1000, median, worst)
	if m.memory > 130_000 { // with the records of the test
		t.Errorf("%d kB of memory, want 130000", m.memory)
	}
	if m.sent < 500_000 {
		missed(t, "the source sent %d ends, want at least 500000", m.sent)
	}
	if median > 100*time.Millisecond {
		missed(t, "keys are answered after %v, want 100ms", median)
	}
	if m.cpu > 0.15 {
		missed(t, "%.1f %% of a processor, want 15 %%", m.cpu*100)
	}
}

// missed reports a figure that depends on what else the machine does. It fails the test
// only if CLOSETRACE_TIMING is set, on a machine that does nothing else.
func missed(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CLOSETRACE_TIMING") != "" {
		t.Errorf(format, args...)
		return
	}
	t.Logf(format, args...)
}

// TestTraffic: what a scrolling stream costs on its way to a far terminal.
func TestTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, rate := range []int{30, 300, 100_000} {
		m := measure(t, rate, func(*terminal) []time.Duration {
			time.Sleep(3 * time.Second)
			return nil
		})
		t.Logf("%d ends/s: %.1f kB/s, %.1f %% of a processor", rate, m.rate, m.cpu*100)
		if m.rate > 10 {
			missed(t, "%d ends/s: %.1f kB/s, want 10", rate, m.rate)
		}
	}
}

// TestNothingIsMissed: a terminal that takes nothing blocks the screen, but not the
// intake.
func TestNothingIsMissed(t *testing.T) {
	var out stuckWriter
	var d counter
	records := feed(200_000/100, at, time.Millisecond)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = read.Close() }()
	out.free = make(chan struct{})
	fed := make(chan struct{})
	hold, stop := waiting()
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), func(yield func(model.Record, error) bool) {
			for range 100 {
				for _, r := range records {
					yield(r, nil)
				}
			}
			close(fed)
			hold(yield)
		}, Config{Start: demoStart, Input: read, Output: &out, Stop: stop, Record: func(string) (Recorder, error) { return &d, nil }, RecordTo: "x"})
	}()
	<-fed // all was taken in, though not one byte could be written
	close(out.free)
	_, _ = write.WriteString("qy")
	_ = write.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if d != 200_000 {
		t.Errorf("%d records were taken in, want 200000", d)
	}
}

// counter is a recorder that only counts.
type counter int

func (c *counter) Write(*model.Record) error {
	*c++
	return nil
}

func (*counter) Close() error { return nil }

// stuckWriter takes nothing until it is free.
type stuckWriter struct {
	free chan struct{}
	got  bytes.Buffer
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	<-w.free
	return w.got.Write(b)
}
