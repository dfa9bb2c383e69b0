package agent

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/closetrace/closetrace/model"
)

// began is when the first end of a test ends.
const began = model.Time(1_795_195_380_123_456_789)

// end is the n-th end of a test: a reset because of unread data.
func end(n int, change ...func(*model.Teardown)) *model.Record {
	r := &model.Record{Kind: model.KindTeardown}
	t := &r.Teardown
	t.ID, t.Time = fmt.Sprintf("7f3a-%x", n), began.Add(time.Duration(n)*time.Millisecond)
	t.Verdict, t.Cause, t.Confidence, t.Rule = model.Abortive, model.CauseUnreadData, model.Certain, "close-with-unread-data"
	t.Network.Local = model.Endpoint{Address: netip.MustParseAddr("10.0.0.5"), Port: 443}
	t.Network.Peer = model.Endpoint{Address: netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), Port: uint16(20000 + n%40000)}
	t.Process.PID, t.Process.Name = 812, "nginx"
	t.TCP.Role = model.Passive
	t.TCP.Bytes.Unread = model.Some[uint64](512)
	for _, c := range change {
		c(t)
	}
	return r
}

func healthy(t *model.Teardown) { t.Verdict, t.Cause = model.Graceful, model.CauseFIN }

// gathered returns the sum of all series of a metric, and how many there are.
func gathered(t *testing.T, a *Agent, name string) (sum float64, series int) {
	t.Helper()
	families, err := a.meter.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "closetrace_"+name {
			continue
		}
		for _, m := range f.Metric {
			series++
			sum += valueOf(m)
		}
	}
	return sum, series
}

func valueOf(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Histogram != nil:
		return float64(m.Histogram.GetSampleCount())
	}
	return m.Gauge.GetValue()
}

var _ prometheus.Collector = (*host)(nil)

// balance checks that every record that was offered is accounted for. The counters are read one
// after the other, and records move meanwhile.
func balance(t *testing.T, a *Agent) (exported, suppressed, lost int) {
	t.Helper()
	get := func(name string) int { sum, _ := gathered(t, a, name); return int(sum) }
	var offered, waiting int
	for range 20 {
		offered, waiting = get("log_records_total"), get("log_records_waiting")
		exported, suppressed, lost = get("log_records_exported_total"), get("log_records_suppressed_total"), get("log_records_lost_total")
		if offered == exported+suppressed+lost+waiting {
			return exported, suppressed, lost
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d offered: %d exported, %d suppressed, %d lost and %d waiting are %d", offered,
		exported, suppressed, lost, waiting, exported+suppressed+lost+waiting)
	return exported, suppressed, lost
}

// answered waits until the Collector's answers are counted: a batch without one is sent
// once more when the agent ends.
func answered(t *testing.T, a *Agent, records int) {
	t.Helper()
	eventually(t, "all answers have come", func() bool {
		sum, _ := gathered(t, a, "log_records_exported_total")
		return int(sum) == records
	})
}

func newTest(t *testing.T, o Options) *Agent {
	t.Helper()
	if o.Log == nil {
		o.Log = t.Logf
	}
	o.firstWait = 10 * time.Millisecond
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func closed(t *testing.T, a *Agent) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}
