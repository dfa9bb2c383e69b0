//go:build linux

package tracer_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
	"github.com/closetrace/closetrace/tracer/process"
)

// soakRate is how many ends a second the generator is to make; CLOSETRACE_SOAK_RATE
// lowers it on a busy machine.
func soakRate() int {
	if rate, err := strconv.Atoi(os.Getenv("CLOSETRACE_SOAK_RATE")); err == nil {
		return rate
	}
	return 20_000
}

// crowd is how many connections the adversary holds open at most, in one namespace:
// more than the map of a small trace has room for.
const crowd = 20_000

// holdCrowd opens connections, holds them until nobody reads what it says, and ends
// them.
func holdCrowd() error {
	var limit unix.Rlimit // the Go runtime has raised it as far as it may
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	size := min(crowd, int(limit.Cur)/2-100)
	base, err := baseArgument(1)
	if err != nil {
		return err
	}
	if err := sourcetest.LoopbackUp(); err != nil {
		return err
	}
	info, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return err
	}
	listener, port, err := listenTCP()
	if err != nil {
		return err
	}
	var all []int
	for i := range size {
		fd, err := dialTCP([4]byte{127, base + byte(i>>16), byte(i >> 8), byte(i)}, port)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		peer, _, err := unix.Accept(listener)
		if err != nil {
			return err
		}
		all = append(all, fd, peer)
	}
	time.Sleep(2 * time.Second) // an adversary in no hurry
	for _, fd := range all {
		unix.Close(fd)
	}
	unix.Close(listener)
	if err := allEnded(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(flooded{NetNS: inode(info), Port: port, Made: size})
}

// generator runs processes that make connections, each in a network namespace and a
// control group of its own.
type generator struct {
	t     *testing.T
	mu    sync.Mutex
	made  map[uint32]int // connections by namespace
	total int
	pids  int
}

func (g *generator) run(role string, arguments ...string) {
	c := command(role, arguments...)
	c.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	c.SysProcAttr.Pdeathsig = 0 // the thread that starts it is any
	g.mu.Lock()
	g.pids++
	name := fmt.Sprintf("closetrace-soak-%d-%d", os.Getpid(), g.pids)
	g.mu.Unlock()
	if group, err := process.NewGroup(name); err == nil {
		defer group.Close()
		if directory, err := os.Open(group.Directory()); err == nil {
			defer directory.Close()
			c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, int(directory.Fd())
		}
	}
	var f flooded
	text, err := c.Output()
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		g.t.Errorf("%s: %v", role, err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made[f.NetNS] += f.Made
	g.total += f.Made
}

// soakBase is the second byte of the addresses that the generators connect to: the number
// of a namespace that has gone is used again, also by others on this machine.
func soakBase() byte { return byte(100 + os.Getpid()%100) }

func soaks(r *model.Record) bool {
	for _, end := range []model.Endpoint{r.Teardown.Network.Local, r.Teardown.Network.Peer} {
		if a := end.AddrPort().Addr(); a.Is4() && a.As4()[1] == soakBase() {
			return true
		}
	}
	return false
}

// generate makes soakRate() ends a second, as far as the machine can, and crowds.
func (g *generator) generate(until time.Time) {
	base := strconv.Itoa(int(soakBase()))
	var crowds sync.WaitGroup
	crowds.Go(func() {
		for time.Now().Before(until) {
			g.run("crowd", base)
			time.Sleep(5 * time.Second)
		}
	})
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for time.Now().Before(until) {
		var floods sync.WaitGroup
		for range 2 {
			floods.Go(func() { g.run("flood", strconv.Itoa(soakRate()/4), base) })
		}
		floods.Wait()
		<-second.C
	}
	crowds.Wait()
}

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
// fills the map, a reader that stops at random. Every end that the generators made is
// reported or counted as lost, none twice; memory, descriptors and the processor time for
// each end stay flat.
//
// Only the losses of the ring are losses of ends. Other programs' ends that are lost are
// among them: the missing ones are at most so many, and none where none is counted.
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("CLOSETRACE_SOAK"))
	if err != nil {
		t.Skip("takes the time that CLOSETRACE_SOAK says: make soak")
	}
	requireRoot(t)

	defer debug.SetGCPercent(debug.SetGCPercent(50)) // as record does
	tr := open(t, tracer.Options{RingSize: 8 << 20, MaxConnections: 4096})
	defer tr.Close()
	hidden := watchHidden(t)
	g := &generator{t: t, made: map[uint32]int{}}
	told, lost := map[uint32]int{}, map[string]uint64{}
	var seen soaked
	reported := 0
	began := time.Now()
	next, minute, pause := began, began.Add(time.Minute), began.Add(5*time.Second)
	tally(t, tr, func() { g.generate(began.Add(duration)) }, func(r *model.Record) {
		switch r.Kind {
		case model.KindTeardown:
			reported++
			if soaks(r) {
				told[r.Teardown.Network.NetNS]++
			}
		case model.KindLoss:
			lost[r.Loss.Where] += r.Loss.Count
		default:
		}
		now := time.Now()
		if now.After(next) {
			next = now.Add(time.Second)
			seen.add(now.Sub(began), reported)
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
	want, got := 0, 0
	for netns, made := range g.made {
		want, got = want+2*made, got+told[netns]
		if told[netns] > 2*made {
			t.Errorf("namespace %d: %d ends, %d were made", netns, told[netns], 2*made)
		}
	}
	took := time.Since(began)
	ends := lost["ring-buffer"] // of other programs too; late evidence and the table cost no end
	t.Logf("%v, %d ends (%.0f/s) by %d processes: %d reported, %d ends counted as lost, %d events hidden by the host; all losses: %v",
		took.Round(time.Second), want, float64(want)/took.Seconds(), g.pids, got, ends, hidden.events(), lost)
	if missing := want - got; missing < 0 || uint64(missing) > ends+hidden.events() {
		t.Errorf("%d ends are missing, and %d are counted as lost", missing, ends)
	}
	seen.check(t)
}
