package summary

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

const start model.Time = 1795195380123456789

// end returns a random teardown of few processes and peers.
func end(r *rand.Rand, n int) model.Record {
	var t model.Teardown
	t.Time = start.Add(time.Duration(n) * time.Millisecond)
	t.Verdict = model.Verdict(r.IntN(model.NumVerdicts))
	t.Cause = model.Cause(r.IntN(model.NumCauses))
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
	if got := s.Lost.Total(); got != 11 {
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

// TestEveryVerdictAndCauseIsCounted: none is beyond the end of an array.
func TestEveryVerdictAndCauseIsCounted(t *testing.T) {
	s := New()
	for _, cause := range model.Causes() {
		for _, verdict := range model.Verdicts() {
			s.Add(&model.Record{Kind: model.KindTeardown, Teardown: model.Teardown{
				Judgement: model.Judgement{Verdict: verdict, Cause: cause}, Facts: model.Facts{Time: 1},
			}})
		}
	}
	if got, want := len(s.CauseList()), model.NumCauses; got != want {
		t.Errorf("got %d causes, want %d", got, want)
	}
	for _, c := range s.CauseList() {
		if got, want := len(c.Verdicts), model.NumVerdicts; got != want {
			t.Errorf("%v: got %d verdicts, want %d", c.Cause, got, want)
		}
	}
	if got, want := s.Total.Total(), uint64(model.NumCauses*model.NumVerdicts); got != want {
		t.Errorf("got %d ends, want %d", got, want)
	}
}
