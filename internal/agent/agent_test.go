package agent

import (
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/closetrace/closetrace/model"
)

func TestRecordArrives(t *testing.T) {
	for _, protocol := range []string{"http", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			s := newSink()
			s.keep = true
			endpoint := ""
			if protocol == "http" {
				endpoint = s.http(t)
			} else {
				endpoint = s.grpc(t)
			}
			a := newTest(t, Options{Endpoint: endpoint, Start: model.Start{Backend: "fentry", Tool: model.Tool{Version: "v9"}}})
			a.Add(end(1))
			a.Add(end(2, healthy))
			a.Add(end(3, func(t *model.Teardown) { t.Process.Name = "evil\xff\x1b[2J" }))
			closed(t, a)
			if exported, _, _ := balance(t, a); exported != 2 || len(s.records) != 2 {
				t.Fatalf("exported %d, arrived %d, want the 2 that are not healthy", exported, len(s.records))
			}
			r := s.records[0]
			if r.EventName != "closetrace.tcp.teardown" || r.SeverityText != "WARN" || r.TimeUnixNano != uint64(began.Add(time.Millisecond)) {
				t.Errorf("event %q, severity %q, time %d", r.EventName, r.SeverityText, r.TimeUnixNano)
			}
			for key, want := range map[string]string{
				"id": "7f3a-1", "verdict": "abortive", "cause": "unread-data", "network.peer.address": "10.1.0.1", "process.name": "nginx", "tcp.role": "passive",
			} {
				if got := attributeOf(r, key); got != want {
					t.Errorf("%s = %q, want %q", key, got, want)
				}
			}
			if got := attributeOf(s.records[1], "process.name"); got != "evil\ufffd\x1b[2J" {
				t.Errorf("hostile name arrived as %q", got)
			}
			if body := s.records[1].Body.GetStringValue(); strings.Contains(body, "\x1b") {
				t.Errorf("body has an escape: %q", body)
			}
			if s.resource["service.name"] != "closetrace" || s.resource["service.version"] != "v9" || s.resource["host.name"] == "" {
				t.Errorf("resource %v", s.resource)
			}
		})
	}
}

// Attributes have the names of a line, those of docs/record.md.
func TestAttributesAreMembers(t *testing.T) {
	page := string(readFile(t, "../../docs/record.md"))
	for _, name := range attributeNames {
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("docs/record.md has no member %s", name)
		}
	}
	if !slices.Contains(attributeNames, "tcp.fingerprint") {
		t.Error("no tcp.fingerprint")
	}
}

func TestAllAndOutcomes(t *testing.T) {
	s := newSink()
	a := newTest(t, Options{Endpoint: s.http(t)})
	a.Add(end(1, healthy))
	outcome := end(1)
	outcome.Kind = model.KindOutcome
	a.Add(outcome) // it turned out to be abortive
	a.Choose(Choice{All: true})
	a.Add(end(2, healthy))
	closed(t, a)
	if got := s.total.Load(); got != 2 {
		t.Errorf("%d arrived, want the outcome, and the healthy end after --all", got)
	}
	ended, _ := gathered(t, a, "connections_ended_total")
	amended, _ := gathered(t, a, "connections_amended_total")
	if ended != 2 || amended != 1 {
		t.Errorf("%v ended and %v amended, want 2 and 1", ended, amended)
	}
}

func TestRateIsLimited(t *testing.T) {
	s := newSink()
	a := newTest(t, Options{Endpoint: s.http(t), Choice: Choice{Rate: 10}})
	for n := range 1000 {
		a.Add(end(n))
	}
	closed(t, a)
	exported, suppressed, lost := balance(t, a)
	if exported < 100 || exported > 150 || suppressed != 1000-exported || lost != 0 {
		t.Errorf("%d exported, %d suppressed, %d lost; want the 100 of the bucket and a few", exported, suppressed, lost)
	}
	if ended, _ := gathered(t, a, "connections_ended_total"); ended != 1000 {
		t.Errorf("%v counted, want all 1000", ended)
	}
}

// A Collector that does not answer keeps nothing waiting, and nothing grows.
func TestStuckCollectorWithoutSpool(t *testing.T) {
	s := newSink()
	s.gate = make(chan struct{})
	a := newTest(t, Options{Endpoint: s.http(t)})
	slowest := time.Duration(0)
	for n := range 200 * batchSize {
		from := time.Now()
		a.Add(end(n))
		slowest = max(slowest, time.Since(from))
	}
	if slowest > time.Second {
		t.Errorf("Add took %v", slowest)
	}
	waiting, _ := gathered(t, a, "log_records_waiting")
	if most := float64((queueSize + 8) * batchSize); waiting > most {
		t.Errorf("%v records wait in memory, want at most %v", waiting, most)
	}
	if _, _, lost := balance(t, a); lost < 100*batchSize {
		t.Errorf("%d lost", lost)
	}
	close(s.gate)
	closed(t, a)
	exported, _, _ := balance(t, a)
	if exported != s.unique() {
		t.Errorf("%d exported, %d arrived", exported, s.unique())
	}
}

// What the Collector can't take now is in the spool, also over a restart.
func TestSpool(t *testing.T) {
	s, away := awaySink()
	url, dir := s.http(t), t.TempDir()+"/spool"
	const sent = 40*batchSize + 7
	a := newTest(t, Options{Endpoint: url, Spool: dir, SpoolSize: 64 << 20})
	for n := range sent {
		a.Add(end(n))
		if n%batchSize == 0 {
			time.Sleep(time.Millisecond) // the host is not faster than a disk
		}
	}
	closed(t, a)
	if exported, _, lost := balance(t, a); exported != 0 || lost != 0 {
		t.Fatalf("%d exported and %d lost while the Collector was away", exported, lost)
	}
	away.Store(false)
	b := newTest(t, Options{Endpoint: url, Spool: dir, SpoolSize: 64 << 20})
	eventually(t, "the spool is empty", func() bool { return s.unique() == sent })
	answered(t, b, sent)
	closed(t, b)
	if exported, _, lost := balance(t, b); exported != sent || lost != 0 || s.total.Load() != sent {
		t.Errorf("after the restart %d exported, %d lost, %d arrived; want %d", exported, lost, s.total.Load(), sent)
	}
}

func TestSpoolIsBounded(t *testing.T) {
	s, away := awaySink()
	const size = 64 << 10
	a := newTest(t, Options{Endpoint: s.http(t), Spool: t.TempDir() + "/spool", SpoolSize: size})
	for n := range 150 * batchSize {
		a.Add(end(n))
		if n%batchSize == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	eventually(t, "all is on disk or lost", func() bool {
		bytes, _ := gathered(t, a, "spool_bytes")
		_, _, lost := balance(t, a)
		return bytes <= size && lost > 0
	})
	away.Store(false)
	closed(t, a)
	if exported, _, lost := balance(t, a); lost == 0 || exported != s.unique() {
		t.Errorf("%d lost, %d exported, %d arrived", lost, exported, s.unique())
	}
}

// Requests that the Collector refuses while it takes others are given up, and counted.
func TestPoison(t *testing.T) {
	s := newSink()
	s.refuse = func(r *collogs.ExportLogsServiceRequest) int {
		switch attributeOf(r.ResourceLogs[0].ScopeLogs[0].LogRecords[0], "id") {
		case end(0).Teardown.ID, end(batchSize).Teardown.ID:
			return http.StatusInternalServerError
		}
		return 0
	}
	a := newTest(t, Options{Endpoint: s.http(t)})
	for n := range 8 * batchSize {
		a.Add(end(n))
		if n%batchSize == 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	eventually(t, "the rest arrives", func() bool { return s.unique() == 6*batchSize })
	eventually(t, "the bad ones are given up", func() bool { _, _, lost := balance(t, a); return lost == 2*batchSize })
}

// TestPoisonOnly: requests that the Collector will never take are given up, though it takes
// no other between them. A server that is no Collector says 400 to everything: nothing is lost.
func TestPoisonOnly(t *testing.T) {
	for _, protocol := range []string{"http", "grpc"} {
		for _, never := range []bool{true, false} {
			s := newSink()
			s.never = never
			bad := map[string]bool{}
			for n := range mostInHand + 1 {
				bad[end(n*batchSize).Teardown.ID] = true
			}
			s.refuse = func(r *collogs.ExportLogsServiceRequest) int {
				if bad[attributeOf(r.ResourceLogs[0].ScopeLogs[0].LogRecords[0], "id")] {
					return http.StatusBadRequest
				}
				return 0
			}
			a := newTest(t, Options{Endpoint: map[string]func(*testing.T) string{"http": s.http, "grpc": s.grpc}[protocol](t)})
			for n := range (mostInHand + 2) * batchSize {
				a.Add(end(n))
				if n%batchSize == 0 {
					time.Sleep(20 * time.Millisecond)
				}
			}
			if !never {
				time.Sleep(time.Second)
				if _, _, lost := balance(t, a); lost != 0 {
					t.Errorf("%s: %d lost, and the Collector did not say never", protocol, lost)
				}
				continue
			}
			eventually(t, "nothing waits", func() bool { waiting, _ := gathered(t, a, "log_records_waiting"); return waiting == 0 })
			if exported, _, lost := balance(t, a); exported != batchSize || lost != len(bad)*batchSize {
				t.Errorf("%s: %d exported, %d lost; want %d exported", protocol, exported, lost, batchSize)
			}
		}
	}
}

// Records that are long are sent in batches that a Collector takes.
func TestLongRecords(t *testing.T) {
	s := newSink()
	var largest atomic.Int64
	s.refuse = func(r *collogs.ExportLogsServiceRequest) int {
		largest.Store(max(largest.Load(), int64(proto.Size(r))))
		return 0
	}
	a := newTest(t, Options{Endpoint: s.http(t)})
	name := strings.Repeat("n", 600)
	const sent = batchSize - 1
	settled := func() bool {
		waiting, _ := gathered(t, a, "log_records_waiting")
		return waiting == 0
	}
	for n := range sent {
		a.Add(end(n, func(t *model.Teardown) { renamed(reflect.ValueOf(t).Elem(), name) }))
	}
	a.mu.Lock()
	if a.batch.full() {
		t.Errorf("%d records of %d bytes wait", a.batch.count, len(a.batch.lines))
	}
	a.flush()
	a.mu.Unlock()
	eventually(t, "all arrive", settled)
	for range batchSize {
		a.say(time.Now(), "a sentence")
	}
	eventually(t, "sentences arrive", settled)
	if exported, _, lost := balance(t, a); exported < sent+batchSize || lost != 0 || largest.Load() > 3<<20 {
		t.Errorf("%d exported, %d lost; the largest request has %d bytes", exported, lost, largest.Load())
	}
}

func TestMetricsByOTLP(t *testing.T) {
	s := newSink()
	a := newTest(t, Options{Endpoint: s.http(t)})
	for n := range 5 {
		a.Add(end(n))
	}
	closed(t, a) // sends the metrics a last time
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range s.metrics.GetResourceMetrics()[0].GetScopeMetrics() {
		for _, m := range scope.Metrics {
			if m.Name == "closetrace_connections_ended_total" || m.Name == "closetrace_connections_ended" {
				if got := m.GetSum().DataPoints[0].GetAsDouble(); got != 5 {
					t.Errorf("%s = %v, want 5", m.Name, got)
				}
				return
			}
		}
	}
	t.Error("no metric of ends arrived")
}

func TestScrape(t *testing.T) {
	a := newTest(t, Options{MetricsListen: "127.0.0.1:0"})
	a.Add(end(1))
	answer, err := http.Get("http://" + a.MetricsAddress() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	want := `closetrace_connections_ended_total{cause="unread-data",port="443",process="nginx",role="passive",verdict="abortive"} 1`
	if err != nil || !strings.Contains(string(body), want) {
		t.Errorf("%v; no line %s", err, want)
	}
}
