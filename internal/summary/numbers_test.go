package summary

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestQuantilesOfExport: each percentile is that of its name.
func TestQuantilesOfExport(t *testing.T) {
	value := func(i int) time.Duration { return time.Duration(i * i * i * i) } // so that they are far apart
	s := New()
	for i := range 10_000 {
		r := graceful("", blocked(2*value(i+1)))
		r.Teardown.Duration = model.Some(value(i + 1))
		s.Add(r)
	}
	e := s.Export(1)
	for times, q := range map[time.Duration]*Quantiles{1: e.Duration, 2: e.Blocked} {
		for rank, got := range map[int]time.Duration{5000: q.P50, 9000: q.P90, 9900: q.P99, 9990: q.P999, 10_000: q.Max} {
			if off := float64(got)/float64(times*value(rank)) - 1; off > 0.02 || off < -0.02 {
				t.Errorf("got %v, want %v to within 2 %%", got, times*value(rank))
			}
		}
		if q.Count != 10_000 {
			t.Errorf("got %d, want 10,000", q.Count)
		}
	}
}

func TestHistogramTakesBack(t *testing.T) {
	var h Histogram
	h.Add(-5 * time.Second)
	if h.Max() != 0 || h.Quantile(.5) != 0 {
		t.Errorf("a negative duration counts as %v, want 0", h.Max())
	}
	h.take(-5 * time.Second)
	h.Add(5)
	h.Add(3)
	h.take(5)
	if h.Max() != 3 || h.Count() != 1 || h.Quantile(.5) != 3 {
		t.Errorf("without the longest: max %v of %d, want 3 of 1", h.Max(), h.Count())
	}
	h.take(3)
	if h.Max() != 0 || h.Count() != 0 || len(h.Bars()) != 0 {
		t.Errorf("empty: max %v of %d, bars %v", h.Max(), h.Count(), h.Bars())
	}
	for i := range 200 {
		h.Add(time.Duration(i+1) * time.Second)
	}
	for i := 200; i > 200-keptLongest; i-- {
		if want := time.Duration(i) * time.Second; h.Max() != want {
			t.Fatalf("max %v, want %v", h.Max(), want)
		}
		h.take(time.Duration(i) * time.Second)
	}
	h.Add(time.Millisecond) // does not become the longest
	if left := 136 * time.Second; h.Max() < left || h.Max() > left*104/100 {
		t.Errorf("beyond what is kept: max %v, want %v or a bin more", h.Max(), left)
	}
}

// TestSpan: the first and the last time, whatever the order of the records.
func TestSpan(t *testing.T) {
	s := New()
	for _, after := range []time.Duration{5, 9, 2, 0, 7} {
		r := graceful("")
		r.Teardown.Time = start.Add(after * time.Second)
		s.Add(r)
	}
	if s.First != start || s.Last != start.Add(9*time.Second) {
		t.Errorf("from %v to %v", s.First, s.Last)
	}
}

func TestStartIsOfTheFirstRecording(t *testing.T) {
	s := New()
	for _, host := range []string{"one", "two"} {
		s.Add(&model.Record{Kind: model.KindStart, Start: model.Start{Host: model.Host{Name: host}}})
	}
	s.Add(&model.Record{Kind: model.KindCloseFailed})
	if e := s.Export(1); e.Host.Name != "one" || e.Recordings != 2 || e.CloseFailed != 1 {
		t.Errorf("got %+v", e)
	}
}

// TestLossLinesBelongToOneFile: a stop line tells of the events of its file, also
// where the stop or the start between two files could not be read.
func TestLossLinesBelongToOneFile(t *testing.T) {
	loss := func(n uint64) model.Record {
		return model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: n, Where: "hook"}}
	}
	stop := func(n uint64) model.Record {
		return model.Record{Kind: model.KindStop, Stop: model.Stop{Lost: n}}
	}
	for name, test := range map[string]struct {
		records []model.Record
		want    uint64
	}{
		"no stop":  {[]model.Record{{Kind: model.KindStart}, loss(5), {Kind: model.KindStart}, stop(3)}, 8},
		"no start": {[]model.Record{{Kind: model.KindStart}, loss(5), stop(5), stop(3)}, 8},
	} {
		s := New()
		for i := range test.records {
			s.Add(&test.records[i])
		}
		if got := s.Lost.Total(); got != test.want {
			t.Errorf("%s: got %d lost events, want %d", name, got, test.want)
		}
	}
}

func TestMoved(t *testing.T) {
	s := New()
	bytes := func(sent, received model.Opt[uint64]) func(*model.Record) {
		return func(r *model.Record) { r.Teardown.TCP.Bytes.Sent, r.Teardown.TCP.Bytes.Received = sent, received }
	}
	var unknown model.Opt[uint64]
	s.Add(graceful("a", bytes(model.Some[uint64](100), model.Some[uint64](30))))
	s.Add(reset("a", bytes(unknown, model.Some[uint64](35))))
	if g := s.Export(1).Processes[0]; g.BytesMoved != 135 || g.BytesLost != 0 {
		t.Errorf("got %+v, want 135 bytes moved and none lost", g)
	}
}

// TestTalks: the port is that of the service, whoever connected and whether that
// is known or has to be guessed from the ports.
func TestTalks(t *testing.T) {
	for _, test := range []struct {
		role        model.Role
		local, peer uint16
		want        model.Role
		port        uint16
	}{
		{model.Passive, 8080, 50_000, model.Passive, 8080},
		{model.Passive, 50_000, 8080, model.Passive, 50_000},
		{model.Active, 50_000, 443, model.Active, 443},
		{model.Active, 443, 50_000, model.Active, 50_000},
		{model.RoleUnknown, 443, 50_000, model.Passive, 443},
		{model.RoleUnknown, 50_000, 443, model.Active, 443},
	} {
		s := New()
		r := reset("", func(r *model.Record) {
			r.Teardown.TCP.Role = test.role
			r.Teardown.Network.Local.Port, r.Teardown.Network.Peer.Port = test.local, test.peer
		})
		r.Kind = model.KindTeardown
		s.Add(r)
		if g := s.Aborted(1); len(g) != 1 || g[0].Role != test.want || g[0].Port != test.port {
			t.Errorf("%v, port %d to %d: got %+v, want %v at %d", test.role, test.local, test.peer, g, test.want, test.port)
		}
	}
}

// TestApproximate: each list says that it had to leave something out.
func TestApproximate(t *testing.T) {
	processes, peers, talks := New(), New(), New()
	for i := range kept + 1 {
		processes.Add(graceful("", owner(fmt.Sprint("p", i))))
		peers.Add(graceful("", func(r *model.Record) {
			r.Teardown.Network.Peer.Address = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		}))
		talks.Add(lingered("", func(r *model.Record) { r.Teardown.Network.Local.Port = uint16(i + 1) }))
	}
	for name, s := range map[string]*Summary{"processes": processes, "peers": peers, "who aborts": talks} {
		if !s.Export(1).Approximate {
			t.Errorf("%s: does not say that it is approximate", name)
		}
	}
	exact := New()
	exact.Add(graceful(""))
	if exact.Export(1).Approximate {
		t.Error("one end is not counted approximately")
	}
	c := Compare(exact, processes)
	for _, change := range append(c.Processes, c.Whys...) {
		if !change.Approximate {
			t.Errorf("%+v: does not say that it is approximate", change)
			break
		}
	}
	whys := New()
	for i := range kept / 20 { // fewer processes than fit, with many causes each
		for cause := range model.CauseOrphanDropped {
			whys.Add(told(model.KindTeardown, "", model.Abortive, cause, owner(fmt.Sprint("p", i))))
		}
	}
	c = Compare(exact, whys)
	if c.Processes[0].Approximate || !c.Whys[0].Approximate {
		t.Errorf("got %+v and %+v, want that only the causes of processes are approximate", c.Processes[0], c.Whys[0])
	}
}

// TestTopKAgainstMap: counts are exact as long as all keys fit, whatever is taken
// back, and the heap stays one.
func TestTopKAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	top, truth := newTopK[int](50), map[int]uint64{}
	one := &counted{verdict: model.Silent}
	for range 20_000 {
		key := r.IntN(50)
		if r.IntN(2) == 0 || truth[key] == 0 {
			top.add(key).add(one)
			truth[key]++
		} else {
			top.take(key, one)
			truth[key]--
		}
		for i := range top.heap {
			if parent := (i - 1) / 2; i > 0 && top.heap[parent].Count > top.heap[i].Count {
				t.Fatalf("the heap is none: %d above %d", top.heap[parent].Count, top.heap[i].Count)
			}
		}
	}
	for _, s := range top.list(func(k int) string { return fmt.Sprint(k) }) {
		if s.Count != truth[s.Key] || s.Tally.Total() != truth[s.Key] || s.Over != 0 {
			t.Errorf("key %d: got %+v, want %d", s.Key, s, truth[s.Key])
		}
		delete(truth, s.Key)
	}
	for key, n := range truth {
		if n != 0 {
			t.Errorf("key %d with %d is missing", key, n)
		}
	}
	if top.evicted {
		t.Error("says that a key had to go")
	}
}

func TestTopKForgetsNothing(t *testing.T) {
	top := newTopK[string](2)
	one := &counted{}
	top.add("a")
	top.add("b")
	top.take("a", one)
	top.add("c") // in the place of a, which counts nothing
	if top.evicted {
		t.Error("says that counts may be wrong")
	}
	top.add("d")
	if !top.evicted {
		t.Error("does not say that counts may be wrong")
	}
}

func TestEqualsAreByName(t *testing.T) {
	s := New()
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint("p", i))
	}
	for _, name := range want {
		s.Add(graceful("", owner(name)))
	}
	slices.Sort(want)
	for i, g := range s.Processes(100) {
		if g.Process != want[i] {
			t.Fatalf("place %d: got %s, want %s", i, g.Process, want[i])
		}
	}
}

// TestTimelineLosesNothing: buckets keep their bytes when they are joined, and an
// end without a time makes them no coarser.
func TestTimelineLosesNothing(t *testing.T) {
	s := New()
	s.Add(graceful("", func(r *model.Record) { r.Teardown.Time = 0 }))
	s.Add(graceful(""))
	if w := s.Timeline.Width(); w != firstWidth {
		t.Errorf("buckets of %v, want %v", w, firstWidth)
	}
	for i := range 2000 {
		s.Add(graceful("", unacked(3), func(r *model.Record) { r.Teardown.Time = start.Add(time.Duration(i) * time.Second) }))
	}
	lost := uint64(0)
	for _, b := range s.Timeline.Buckets() {
		lost += b.Lost
	}
	if lost != 6000 || s.Timeline.Width() <= firstWidth {
		t.Errorf("%d bytes in buckets of %v, want 6000 in wider ones", lost, s.Timeline.Width())
	}
}

func TestHintBounds(t *testing.T) {
	for _, test := range []struct {
		z    float64
		a    uint64 // of 100, before and after
		want Hint
	}{
		{1.99, 50, Noise},
		{-1.99, 50, Noise},
		{2, 50, Possible},
		{-3.29, 50, Possible},
		{3.3, 50, Clear},
		{-3.3, 50, Clear},
		{9, 5, Clear},
		{9, 4, Few},
	} {
		if got := hint(test.z, test.a, 100, test.a, 100); got != test.want {
			t.Errorf("z = %v of %d: got %s, want %s", test.z, test.a, got, test.want)
		}
	}
}

// TestClearestChangeIsFirst, whether it grew or shrank.
func TestClearestChangeIsFirst(t *testing.T) {
	sum := func(silent, graceful int) *Summary {
		s := New()
		for v, n := range map[model.Verdict]int{model.Silent: silent, model.Graceful: graceful, model.Abortive: 50} {
			for range n {
				s.Add(told(model.KindTeardown, "", v, model.CauseFIN))
			}
		}
		return s
	}
	c := Compare(sum(90, 60), sum(10, 100))
	if first := c.Verdicts[0]; first.Verdict != "silent" {
		t.Errorf("got %+v first, want silent, from 90 to 10 of 200", first)
	}
}

func TestCautions(t *testing.T) {
	recorded := func(change func(*model.Start), lost uint64) *Summary {
		r := model.Record{Kind: model.KindStart, Start: model.Start{Backend: "fentry", Filter: "a", Host: model.Host{Name: "h"}}}
		change(&r.Start)
		s := New()
		s.Add(&r)
		s.Add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: lost, Where: "hook"}})
		return s
	}
	same := func(*model.Start) {}
	for want, other := range map[string]*Summary{
		"":                recorded(same, 0),
		"filter differs":  recorded(func(s *model.Start) { s.Filter = "b" }, 0),
		"backend differs": recorded(func(s *model.Start) { s.Backend = "kprobe" }, 0),
		"host differs":    recorded(func(s *model.Start) { s.Host.Name = "i" }, 0),
		"losses: before 0 lost; after 3 events lost": recorded(same, 3),
	} {
		got := Compare(recorded(same, 0), other).Caution
		if want == "" && len(got) != 0 || want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], want)) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMiddleIsInert(t *testing.T) {
	for _, width := range []int{4, 10, 80} {
		got := middle("10.0.0.1\x1b[2J\n%eth0", width)
		checkInert(t, got, width)
		if strings.ContainsAny(got, "\x1b\n") {
			t.Errorf("got %q", got)
		}
	}
}
