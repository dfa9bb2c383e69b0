package agent

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// hosts are agents of many hosts in this process, each with a client of its own.
type hosts struct {
	t      *testing.T
	agents []*Agent
	made   int
}

func newHosts(t *testing.T, n int, endpoint string) *hosts {
	t.Helper()
	h := &hosts{t: t}
	for range n {
		h.agents = append(h.agents, newTest(t, Options{Endpoint: endpoint, Log: func(string, ...any) {}}))
	}
	return h
}

// play ends connections at a rate, spread over all hosts, and returns how long it took.
func (h *hosts) play(rate int, length time.Duration) (ends int) {
	from := time.Now()
	for time.Since(from) < length {
		for due := int(time.Since(from).Seconds() * float64(rate)); ends < due; ends++ {
			h.agents[h.made%len(h.agents)].Add(end(h.made))
			h.made++
		}
		time.Sleep(5 * time.Millisecond)
	}
	return ends
}

// sums are those of all hosts.
func (h *hosts) sums() (exported, waiting, lost int) {
	read := func(m interface{ Write(*dto.Metric) error }) int {
		var value dto.Metric
		if err := m.Write(&value); err != nil {
			h.t.Fatal(err)
		}
		return int(valueOf(&value))
	}
	for _, a := range h.agents {
		exported += read(a.meter.exported)
		waiting += read(a.meter.waiting)
		for _, reason := range a.meter.lost {
			lost += read(reason)
		}
	}
	return exported, waiting, lost
}

// costOf is the processor time and resident memory of a process.
func costOf(t *testing.T, pid int) (cpu time.Duration, memory int) {
	t.Helper()
	folder := "/proc/" + strconv.Itoa(pid)
	text := string(readFile(t, folder+"/stat"))
	fields := strings.Fields(text[strings.LastIndexByte(text, ')'):])
	for _, ticks := range fields[12:14] { // utime, stime, in hundredths of a second
		n, err := strconv.Atoi(ticks)
		if err != nil {
			t.Fatal(err)
		}
		cpu += time.Duration(n) * 10 * time.Millisecond
	}
	pages, err := strconv.Atoi(strings.Fields(string(readFile(t, folder+"/statm")))[1])
	if err != nil {
		t.Fatal(err)
	}
	return cpu, pages * os.Getpagesize()
}

// TestManyHosts plays the streams of CLOSETRACE_HOSTS hosts into one real Collector, at
// rates that double, and logs where it bends. At every rate all is accounted for.
func TestManyHosts(t *testing.T) {
	count, step, rates := 50, time.Second, []int{100, 500}
	if text := os.Getenv("CLOSETRACE_HOSTS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		step, rates = 15*time.Second, []int{500, 1000, 2000, 4000, 8000, 16000}
	}
	s := newSink()
	c, endpoint := collector(t, s.http(t))
	h := newHosts(t, count, endpoint)
	for _, rate := range rates {
		exportedBefore, _, _ := h.sums()
		cpuBefore, _ := costOf(t, c.Process.Pid)
		ownBefore, _ := costOf(t, os.Getpid())
		from := time.Now()
		ends := h.play(rate, step)
		took := time.Since(from)
		exported, waiting, lost := h.sums()
		cpu, memory := costOf(t, c.Process.Pid)
		own, _ := costOf(t, os.Getpid())
		exported -= exportedBefore
		t.Logf("%5d records a second from %d hosts: %.0f made and %.0f taken a second, %d wait, %d lost; the Collector used %.0f %% of a processor, %.0f us a record, %d MB; hosts and sink %.0f %%",
			rate, count, float64(ends)/took.Seconds(), float64(exported)/took.Seconds(), waiting, lost, 100*(cpu-cpuBefore).Seconds()/took.Seconds(),
			float64((cpu-cpuBefore).Microseconds())/float64(max(1, exported)), memory>>20, 100*(own-ownBefore).Seconds()/took.Seconds())
	}
	patience := time.Now().Add(5 * time.Minute)
	exported, waiting, lost := h.sums()
	for ; waiting > 0 && time.Now().Before(patience); time.Sleep(100 * time.Millisecond) {
		exported, waiting, lost = h.sums()
	}
	ends := 0
	s.mu.Lock()
	for id := range s.ids {
		if strings.HasPrefix(id, "7f3a-") { // findings are alike on all hosts
			ends++
		}
	}
	s.mu.Unlock()
	t.Logf("%d made: %d exported, %d lost; %d of the ends arrived", h.made, exported, lost, ends)
	if waiting != 0 || exported+lost < h.made || ends < h.made-lost || ends > h.made || int(s.total.Load()) < exported {
		t.Errorf("%d wait; %d records arrived", waiting, s.total.Load())
	}
}
