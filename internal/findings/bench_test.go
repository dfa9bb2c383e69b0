package findings_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// flood is a second of 100,000 ends of 160 servers at 40 ports and 100 clients: one
// connection in ten is a keep-alive race, one was idle, one is reset by its server with a request
// unread, one is another trouble, and the rest is healthy.
func flood() []model.Record {
	var s stream
	for i := range 50_000 {
		at := time.Duration(i) * 20 * time.Microsecond
		server, port := fmt.Sprint("server", i%160), 8000+i%40
		local, client := fmt.Sprintf("10.0.%d.1:%d", i%4, port), fmt.Sprintf("10.%d.%d.2:%d", 1+i%50, i/250, 2000+i%60000)
		cause, far := model.CauseFIN, model.CauseFIN
		edits := []edit{graceful, bytes(1000, 100), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(20 * sec), idle(ms)}
		reset := func(t *model.Teardown) { t.Verdict = model.Abortive }
		switch i % 10 {
		case 0:
			cause, far = model.CauseDataAfterClose, model.CausePeerReset
			edits = append(edits, reset, idle(5*sec))
		case 1:
			edits = append(edits, idle(60*sec))
		case 2:
			cause, far = model.CauseUnreadData, model.CausePeerReset
			edits = append(edits, reset, unread(80), spoke(3*sec, ms))
		case 3:
			cause = []model.Cause{model.CauseRetransmitTimeout, model.CausePeerReset, model.CauseLingerZero, model.CauseRefused, model.CauseUnreachable}[i/10%5]
			edits = append(edits, reset, unacked(100))
		}
		s.end(at, server, model.Passive, local, client, cause, edits...)
		s.end(at, fmt.Sprint("client", i%100), model.Active, client, local, far, graceful, bytes(100, 1000), by(model.InitiatorPeer), lasted(20*sec))
	}
	return s.records
}

// BenchmarkFlood takes a second's worth of 100,000 ends: at 1,000 ns of processor time an
// end they cost 10 % of a processor. On a busy machine ns/op says nothing.
func BenchmarkFlood(b *testing.B) {
	records := flood()
	e := findings.New()
	b.ReportAllocs()
	before := processorTime(b)
	b.ResetTimer()
	for i := range b.N {
		r := &records[i%len(records)]
		if i >= len(records) {
			r.Teardown.Time += model.Time(time.Second)
		}
		e.Add(r)
	}
	e.Finish()
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/end")
	if e.Report().Connections == 0 {
		b.Error("nothing was judged")
	}
}

// TestMemoryIsBounded: after ten seconds of a flood with ever new peers and names the
// engine holds less than 30 MB, and it still counts.
func TestMemoryIsBounded(t *testing.T) {
	records := flood()
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	e := findings.New()
	for second := range 10 {
		for i := range records {
			r := records[i]
			r.Teardown.Time += model.Time(second) * model.Time(time.Second)
			r.Teardown.ID = fmt.Sprintf("b%d-%d", second, i)
			if i%4 == 0 {
				r.Teardown.Process.Name = fmt.Sprintf("p%d-%d", second, i)
			}
			e.Add(&r)
		}
	}
	after := heap()
	if used := int64(after) - int64(before); used > 30e6 {
		t.Errorf("the engine holds %d bytes, want at most 30 MB", used)
	} else {
		t.Logf("the engine holds %.1f MB", float64(used)/1e6)
	}
	if n := e.Report().Connections; n < 400_000 {
		t.Errorf("got %d connections, want about 500,000", n)
	}
	runtime.KeepAlive(records)
}
