package findings_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// flood is a second of 100,000 ends: one in ten is a keep-alive race, one in ten
// was idle, and the rest is healthy.
func flood() []model.Record {
	var s stream
	for i := range 50_000 {
		at := time.Duration(i) * 20 * time.Microsecond
		client := fmt.Sprintf("10.%d.%d.2:%d", i%50, i/250, 2000+i%60000)
		cause, edits := model.CauseFIN, []edit{graceful, bytes(1000, 100), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(20 * sec), idle(ms)}
		switch i % 10 {
		case 0:
			cause = model.CauseDataAfterClose
			edits = append(edits, func(t *model.Teardown) { t.Verdict = model.Abortive }, idle(5*sec))
		case 1:
			edits = append(edits, idle(60*sec))
		}
		s.end(at, "nginx", model.Passive, "10.0.0.1:80", client, cause, edits...)
		s.end(at, fmt.Sprint("client", i%100), model.Active, client, "10.0.0.1:80", model.CauseFIN, graceful, bytes(100, 1000), by(model.InitiatorPeer), lasted(20*sec))
	}
	return s.records
}

// BenchmarkFlood takes a second's worth of 100,000 ends: at 1,000 ns an end they
// cost 10 % of a processor.
func BenchmarkFlood(b *testing.B) {
	records := flood()
	e := findings.New()
	var r model.Record
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r = records[i%len(records)]
		r.Teardown.Time += model.Time(i/len(records)) * model.Time(time.Second)
		e.Add(&r)
	}
	e.Finish()
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
