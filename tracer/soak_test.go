//go:build linux

package tracer_test

import (
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// soaked is what is measured once a second, since the start unless noted.
type soaked struct {
	times       []time.Duration
	memory      []float64 // MB, at that time
	descriptors []float64 // at that time
	ends        []float64 // reported
	cpu         []float64 // seconds of this process; the generators are others
}

func (s *soaked) add(since time.Duration, ends int) {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage)
	open, _ := os.ReadDir("/proc/self/fd")
	s.times, s.memory = append(s.times, since), append(s.memory, resident())
	s.descriptors = append(s.descriptors, float64(len(open)))
	s.ends = append(s.ends, float64(ends))
	s.cpu = append(s.cpu, time.Duration(usage.Utime.Nano()+usage.Stime.Nano()).Seconds())
}

// costs are the microseconds of processor time for each end, in tenths of the run.
func (s *soaked) costs() (times []time.Duration, costs []float64) {
	const tenths = 10
	for i := range tenths {
		from, to := i*(len(s.times)-1)/tenths, (i+1)*(len(s.times)-1)/tenths
		if ends := s.ends[to] - s.ends[from]; ends > 0 {
			times = append(times, s.times[to])
			costs = append(costs, (s.cpu[to]-s.cpu[from])*1e6/ends)
		}
	}
	return times, costs
}

// check is what must stay flat, over the second half: the first fills what is remembered.
// The bounds leave room for what a busy machine does to a run of minutes, and none for a
// leak in an hour: memory and descriptors that are not given back, and ends that cost more
// the longer the trace is.
func (s *soaked) check(t *testing.T) {
	t.Helper()
	half := (s.times[len(s.times)-1] / 2).Minutes()
	line := func(name, unit string, times []time.Duration, values []float64, most float64) {
		t.Helper()
		grows := slope(times, values)
		t.Logf("%s: %.1f at first, %.1f at last, %+.3f %s a minute", name, values[0], values[len(values)-1], grows, unit)
		t.Logf("%s grew by %.1f %s in the second half, at most %.1f are right", name, grows*half, unit, most)
		if grows*half > most {
			t.Errorf("%s grows", name)
		}
	}
	line("memory", "MB", s.times, s.memory, 16)
	line("descriptors", "descriptors", s.times, s.descriptors, 8)
	times, costs := s.costs()
	t.Logf("processor time for each end, in tenths of the run: %.1f us", costs)
	if len(costs) > 0 {
		line("processor time for each end", "us", times, costs, slices.Max(costs[:(len(costs)+1)/2])+10)
	}
}

// slope is the growth of a series a minute, by least squares over its second half,
// because the first fills the caches.
func slope(times []time.Duration, values []float64) float64 {
	times, values = times[len(times)/2:], values[len(values)/2:]
	var n, sx, sy, sxx, sxy float64
	for i := range times {
		x := times[i].Minutes()
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+values[i], sxx+x*x, sxy+x*values[i]
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

// resident is VmRSS without what is mapped of files and the ring, in MB.
func resident() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "RssAnon:"); found {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// TestSoak runs for the time that CLOSETRACE_SOAK says (make soak: one hour; CI: two
// minutes): floods in namespaces and control groups that come and go, an adversary that
// fills the map, a reader that stops at random. Memory, descriptors and the processor time
// for each end stay flat.
//
// The kernel leaves out what is not the generators', so that each end that they made is
// reported or counted as lost, and none is both: what is left are ends of which the host
// hides events from all BPF programs, as ftrace shows.
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("CLOSETRACE_SOAK"))
	if err != nil {
		t.Skip("takes the time that CLOSETRACE_SOAK says: make soak")
	}
	requireRoot(t)

	defer debug.SetGCPercent(debug.SetGCPercent(50)) // as record does
	tr := open(t, tracer.Options{RingSize: 8 << 20, MaxConnections: 4096, Peer: soakNetwork()})
	defer tr.Close()
	hidden := watchHidden(t)
	hidden.only(soakNetwork())
	g := &generator{t: t, made: map[uint32]int{}}
	told, others, lost := map[uint32]int{}, 0, map[string]uint64{}
	var seen soaked
	reported := 0
	began := time.Now()
	next, minute, pause := began, began.Add(time.Minute), began.Add(5*time.Second)
	tally(t, tr, func() { g.generate(began, duration) }, func(r *model.Record) {
		switch r.Kind {
		case model.KindTeardown:
			reported++
			if told[r.Teardown.Network.NetNS]++; !soaks(r) {
				others++
			}
		case model.KindLoss:
			lost[r.Loss.Where] += r.Loss.Count
		default:
		}
		now := time.Now()
		if now.After(next) {
			next = now.Add(time.Second)
			seen.add(now.Sub(began), reported)
			hidden.events() // its buffer holds some ten thousand
		}
		if now.After(minute) {
			minute = now.Add(time.Minute)
			t.Logf("after %v: %d ends reported, lost %v, %.0f MB, %.0f descriptors",
				now.Sub(began).Round(time.Second), reported, lost, seen.memory[len(seen.memory)-1],
				seen.descriptors[len(seen.descriptors)-1])
		}
		if now.After(pause) { // the reader is stopped, as by a full disk
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
			pause = time.Now().Add(time.Duration(5+rand.IntN(10)) * time.Second)
		}
	})
	for netns, made := range g.made {
		if told[netns] > 2*made {
			t.Errorf("namespace %d: %d ends, %d were made", netns, told[netns], 2*made)
		}
	}
	if others > 0 {
		t.Errorf("%d ends of other programs, which the kernel should have left out", others)
	}
	g.checkRate(duration)
	// Late evidence and the table cost no end; the total of the ring is of ends alone.
	want, ends := 2*g.total, int(lost["ring-buffer"])
	t.Logf("%d ends by %d processes = %d reported + %d counted as lost + %d of %d events hidden by the host; all losses: %v",
		want, g.pids, reported, ends, want-reported-ends, hidden.events(), lost)
	if missing := want - reported - ends; missing < 0 || uint64(missing) > hidden.events() {
		t.Errorf("%d ends are neither reported nor counted as lost", missing)
	}
	seen.check(t)
}
