package summary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/closetrace/closetrace/model"
)

const start model.Time = 1795195380123456789

// end returns a random teardown of few processes and peers.
func end(r *rand.Rand, n int) model.Record {
	var t model.Teardown
	t.Time = start.Add(time.Duration(n) * time.Millisecond)
	t.Verdict = model.Verdict(r.IntN(verdicts))
	t.Cause = model.Cause(r.IntN(causes))
	t.Process.Name = []string{"nginx", "curl", "redis", "", "evil\x1b[2J\u202e<b>"}[r.IntN(5)]
	t.Network.Peer = model.Endpoint{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(20))}), Port: 443}
	t.Network.Local.Port = 50000
	if r.IntN(2) == 0 {
		t.TCP.Bytes.Unacked = model.Some(r.Uint64N(1000))
		t.TCP.Bytes.Unread = model.Some(r.Uint64N(1000))
		t.Duration = model.Some(time.Duration(r.Int64N(1e12)))
	}
	return model.Record{Kind: model.KindTeardown, Teardown: t}
}

// TestCountsAreExact counts the plain way, with maps.
func TestCountsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	s := New()
	verdictCount, causeCount, lost := map[string]uint64{}, map[string]uint64{}, uint64(0)
	processes, peers := map[string]uint64{}, map[string]uint64{}
	const n = 20000
	for i := range n {
		rec := end(r, i)
		s.Add(&rec)
		td := &rec.Teardown
		verdictCount[td.Verdict.String()]++
		causeCount[td.Cause.String()]++
		processes[td.Process.Name]++
		peers[td.Network.Peer.Address.String()]++
		lost += td.TCP.Bytes.Unacked.Or(0) + td.TCP.Bytes.Unread.Or(0)
	}
	e := s.Export(100)
	if e.Teardowns != n || e.BytesLost != lost || e.Approximate {
		t.Errorf("got %d teardowns, %d bytes lost, approximate %v; want %d, %d, exact", e.Teardowns, e.BytesLost, e.Approximate, n, lost)
	}
	if !equal(e.Verdicts, verdictCount) {
		t.Errorf("verdicts: got %v, want %v", e.Verdicts, verdictCount)
	}
	got := map[string]uint64{}
	for _, c := range e.Causes {
		got[c.Cause.String()] = c.Teardowns
	}
	if !equal(got, causeCount) {
		t.Errorf("causes: got %v, want %v", got, causeCount)
	}
	got = map[string]uint64{}
	for _, g := range e.Processes {
		got[g.Process] = g.Teardowns
	}
	if !equal(got, processes) {
		t.Errorf("processes: got %v, want %v", got, processes)
	}
	got = map[string]uint64{}
	for _, g := range e.Peers {
		got[g.Peer] = g.Teardowns
	}
	if !equal(got, peers) {
		t.Errorf("peers: got %v, want %v", got, peers)
	}
	var inTime uint64
	for _, b := range s.Timeline.Buckets() {
		for _, v := range b.Verdicts {
			inTime += uint64(v)
		}
	}
	if inTime != n {
		t.Errorf("timeline has %d teardowns, want %d", inTime, n)
	}
}

func equal(a, b map[string]uint64) bool {
	for k := range a {
		if a[k] != b[k] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestTopKBounds checks what the paper promises, on a skewed stream.
func TestTopKBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	zipf := rand.NewZipf(r, 1.1, 1, 1e6)
	const n, size = 200000, 100
	top := newTopK[uint64](size)
	truth := map[uint64]uint64{}
	for range n {
		key := zipf.Uint64()
		truth[key]++
		top.add(key)
	}
	found := map[uint64]bool{}
	for _, slot := range top.list(func(k uint64) string { return fmt.Sprint(k) }) {
		found[slot.Key] = true
		if real := truth[slot.Key]; slot.Count < real || slot.Count-slot.Over > real {
			t.Errorf("key %d: got %d (at most %d too high), want %d within", slot.Key, slot.Count, slot.Over, real)
		}
	}
	if len(found) != size || !top.evicted {
		t.Errorf("got %d keys, want %d", len(found), size)
	}
	for key, count := range truth {
		if count > n/size && !found[key] {
			t.Errorf("key %d with %d of %d is missing", key, count, n)
		}
	}
}

func TestHistogramQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var h Histogram
	var all []time.Duration
	for range 50000 {
		d := time.Duration(math.Exp(r.Float64() * 40))
		h.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, .01, .5, .9, .99, .999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := h.Quantile(q); math.Abs(float64(got-want)) > 0.02*float64(want)+1 {
			t.Errorf("quantile %v: got %v, want %v to within 2 %%", q, got, want)
		}
	}
	var sum uint64
	for _, b := range h.Bars() {
		sum += b.Count
		if b.From >= b.To {
			t.Errorf("bar from %v to %v", b.From, b.To)
		}
	}
	if sum != h.Count() || h.Max() != all[len(all)-1] {
		t.Errorf("got %d in bars and max %v, want %d and %v", sum, h.Max(), h.Count(), all[len(all)-1])
	}
	h.Add(-1)
	h.Add(math.MaxInt64)
	if got := h.Quantile(1); got != math.MaxInt64 {
		t.Errorf("got %v, want the longest duration there is", got)
	}
}

func TestBins(t *testing.T) {
	for v := uint64(0); v < 1<<63; v += v/8 + 1 {
		if i := bin(v); v < low(i) || v >= low(i+1) {
			t.Fatalf("%d: bin %d is from %d to %d", v, i, low(i), low(i+1))
		}
	}
}

// TestTimelineAnyOrder: the same ends give the same sums whatever their order,
// within the bound, and each bucket holds what its time says.
func TestTimelineAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, span := range []time.Duration{time.Millisecond, time.Second, time.Hour, 1000 * time.Hour} {
		var tl Timeline
		var times []model.Time
		for range 5000 {
			when := start.Add(time.Duration(r.Int64N(int64(span))))
			times = append(times, when)
			tl.at(when).Verdicts[model.Abortive]++
		}
		if len(tl.Buckets()) > maxBuckets {
			t.Errorf("%v: %d buckets", span, len(tl.Buckets()))
		}
		want := make([]uint32, len(tl.Buckets()))
		for _, when := range times {
			want[when.Sub(tl.Begin())/tl.Width()]++
		}
		for i, b := range tl.Buckets() {
			if b.Verdicts[model.Abortive] != want[i] {
				t.Fatalf("%v: bucket %d has %d, want %d", span, i, b.Verdicts[model.Abortive], want[i])
			}
		}
	}
}

func TestTimelineHostileTimes(t *testing.T) {
	var tl Timeline
	for _, when := range []model.Time{start, math.MaxInt64, 1, math.MinInt64, 0, start} {
		tl.at(when).Verdicts[0]++
	}
	if len(tl.Buckets()) > maxBuckets {
		t.Errorf("%d buckets", len(tl.Buckets()))
	}
}

func TestRetraction(t *testing.T) {
	s := New()
	first := model.Record{Kind: model.KindTeardown}
	first.Teardown.Time, first.Teardown.Verdict, first.Teardown.Cause = start, model.LingerTimeout, model.CauseLingerExpired
	first.Teardown.Process.Name = "curl"
	then := model.Record{Kind: model.KindOutcome, Retracts: true}
	then.Teardown = first.Teardown
	then.Teardown.Verdict, then.Teardown.Cause = model.Graceful, model.CauseFIN
	late := model.Record{Kind: model.KindOutcome}
	late.Teardown.Verdict, late.Teardown.Cause = model.Abortive, model.CauseDataAfterClose
	s.Add(&first)
	s.Add(&then)
	s.Add(&late)
	e := s.Export(5)
	if !equal(e.Verdicts, map[string]uint64{"graceful": 1}) || e.Retracted != 1 || e.Teardowns != 1 {
		t.Errorf("got %v, %d retracted, want one graceful end", e.Verdicts, e.Retracted)
	}
	if !equal(e.Processes[0].Verdicts, map[string]uint64{"graceful": 1}) {
		t.Errorf("process: got %v", e.Processes[0].Verdicts)
	}
	if !equal(e.Later, map[string]uint64{"data-after-close": 1}) {
		t.Errorf("later outcomes: got %v", e.Later)
	}
}

func TestLossIsCountedOnce(t *testing.T) {
	s := New()
	for _, r := range []model.Record{
		{Kind: model.KindStart},
		{Kind: model.KindLoss, Loss: model.Loss{Count: 5, Where: "ring-buffer"}},
		{Kind: model.KindLoss, Loss: model.Loss{Count: 2, Where: "file"}},
		{Kind: model.KindStop, Stop: model.Stop{Lost: 10}},
		{Kind: model.KindStart},
		{Kind: model.KindLoss, Loss: model.Loss{Count: 1, Where: "file"}},
		{Kind: model.KindStop, Stop: model.Stop{Lost: 1}},
	} {
		s.Add(&r)
	}
	if got := s.LostEvents(); got != 11 {
		t.Errorf("got %d lost events, want 5+2+3 and 1", got)
	}
}

// TestMemoryIsBounded feeds names that never come again.
func TestMemoryIsBounded(t *testing.T) {
	s := New()
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 50000 {
		rec := end(r, i)
		rec.Teardown.Process.Name = strings.Repeat("x", 1000) + fmt.Sprint(i)
		rec.Teardown.Process.Name = fmt.Sprint(i) + rec.Teardown.Process.Name
		rec.Teardown.Network.Peer.Address = netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		s.Add(&rec)
		loss := model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 1, Where: fmt.Sprint(i)}}
		s.Add(&loss)
	}
	if n := len(s.processes.heap) + len(s.peers.heap) + len(s.talks.heap) + len(s.whys.heap); n > 4*kept {
		t.Errorf("keeps %d names", n)
	}
	if len(s.Events) > 17 {
		t.Errorf("keeps %d places of losses", len(s.Events))
	}
	if e := s.Export(5); !e.Approximate || e.Processes[0].Over == 0 {
		t.Errorf("does not say that counts are approximate: %+v", e.Processes[0])
	}
}

// TestTextFitsAndIsInert: hostile names neither control the terminal nor break
// the table.
func TestTextFitsAndIsInert(t *testing.T) {
	s := New()
	r := rand.New(rand.NewPCG(6, 6))
	for i := range 3000 {
		rec := end(r, i)
		s.Add(&rec)
	}
	s.Add(&model.Record{Kind: model.KindStart, Start: model.Start{Host: model.Host{Name: "h\x1b]0;x\a"}, Filter: "a\nb"}})
	other := New()
	rec := end(r, 1)
	other.Add(&rec)
	var out bytes.Buffer
	for _, ascii := range []bool{false, true} {
		o := TextOptions{ASCII: ascii}
		if err := s.Text(&out, o); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n > 50 && !ascii {
			t.Errorf("got %d lines, want one screen", n)
		}
		if err := Compare(s, other).Text(&out, o); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
		for _, c := range line {
			if c < ' ' || c == 0x7f || c == 0x202e {
				t.Errorf("line holds %U: %q", c, line)
			}
		}
	}
	if _, err := json.Marshal(s.Export(5)); err != nil {
		t.Error(err)
	}
}

func TestEmptySummary(t *testing.T) {
	var out bytes.Buffer
	if err := New().Text(&out, TextOptions{}); err != nil || out.String() != "nothing was recorded\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if err := Compare(New(), New()).Text(&out, TextOptions{}); err != nil {
		t.Error(err)
	}
}

// TestHints: the z-test's numbers are from a textbook's table of the normal
// distribution: 50 of 1000 against 80 of 1000 gives z = 2.72.
func TestHints(t *testing.T) {
	if z := zScore(50, 1000, 80, 1000); math.Abs(z-2.7208) > 0.001 {
		t.Errorf("got z %v, want 2.7208", z)
	}
	for _, test := range []struct {
		a, n, b, m uint64
		want       Hint
	}{
		{50, 1000, 80, 1000, Possible},
		{50, 1000, 200, 1000, Clear},
		{50, 1000, 52, 1000, Noise},
		{0, 1000, 3, 1000, Few},
		{0, 1000, 100, 1000, Clear},
		{5, 5, 0, 0, Few},
		{1000, 1000, 1000, 1000, Noise},
	} {
		if got := hint(zScore(test.a, test.n, test.b, test.m), test.a, test.n, test.b, test.m); got != test.want {
			t.Errorf("%d of %d and %d of %d: got %s, want %s", test.a, test.n, test.b, test.m, got, test.want)
		}
	}
}

func TestCompareFindsWhatChanged(t *testing.T) {
	before, after := New(), New()
	add := func(s *Summary, n int, name string, v model.Verdict, c model.Cause) {
		for i := range n {
			r := model.Record{Kind: model.KindTeardown}
			r.Teardown.Time = start.Add(time.Duration(i) * time.Second)
			r.Teardown.Verdict, r.Teardown.Cause, r.Teardown.Process.Name = v, c, name
			s.Add(&r)
		}
	}
	add(before, 900, "nginx", model.Graceful, model.CauseFIN)
	add(before, 100, "cron", model.Abortive, model.CausePeerReset)
	add(after, 900, "nginx", model.Graceful, model.CauseFIN)
	add(after, 300, "nginx", model.Abortive, model.CauseUnreadData)
	c := Compare(before, after)
	if w := c.Whys[0]; w.Process != "nginx" || w.Cause != "unread-data" || w.Before != 0 || w.After != 300 || w.Hint != Clear {
		t.Errorf("first change: got %+v, want nginx unread-data, new and clear", w)
	}
	if w := c.Whys[1]; w.Process != "cron" || w.words() != "gone, clear" {
		t.Errorf("second change: got %+v (%s), want cron gone", w, w.words())
	}
	var out bytes.Buffer
	if err := c.Text(&out, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "nginx unread-data") {
		t.Error(out.String())
	}
}

func TestFormat(t *testing.T) {
	for n, want := range map[uint64]string{0: "0B", 999: "999B", 1000: "1.00k", 12345: "12.3k", 999499: "999k", 999500: "1.00M", 1e18: "1.00E"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d): got %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{1234567: "1.23ms", 999: "999ns", 61 * time.Second: "1m1s", 25*time.Hour + 61*time.Second: "25h1m", 12345678901: "12.3s"} {
		if got := Round(d); got != want {
			t.Errorf("Round(%d): got %s, want %s", d, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d): got %s, want %s", n, got, want)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	s := New()
	r := rand.New(rand.NewPCG(7, 7))
	var list []model.Record
	for i := range 1000 {
		list = append(list, end(r, i))
	}
	i := 0
	for b.Loop() {
		s.Add(&list[i%1000])
		i++
	}
}
