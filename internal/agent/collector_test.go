package agent

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/closetrace/closetrace/model"
)

// sink is a Collector of the test's own: it reads OTLP by the published protocol.
type sink struct {
	collogs.UnimplementedLogsServiceServer

	// refuse, if set, is the HTTP status for a request instead of taking it.
	refuse func(*collogs.ExportLogsServiceRequest) int
	// gate, if set, is what every request waits for.
	gate chan struct{}

	mu       sync.Mutex
	ids      map[string]int // and how often each came
	records  []*logs.LogRecord
	keep     bool // the records
	resource map[string]string
	total    atomic.Int64
	metrics  *colmetrics.ExportMetricsServiceRequest
}

func newSink() *sink { return &sink{ids: map[string]int{}, resource: map[string]string{}} }

// awaySink refuses everything while away is true, as it is at first.
func awaySink() (s *sink, away *atomic.Bool) {
	s, away = newSink(), new(atomic.Bool)
	away.Store(true)
	s.refuse = func(*collogs.ExportLogsServiceRequest) int {
		if away.Load() {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	return s, away
}

func (s *sink) take(request *collogs.ExportLogsServiceRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range request.ResourceLogs {
		for _, a := range r.Resource.Attributes {
			s.resource[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range r.ScopeLogs {
			for _, one := range scope.LogRecords {
				id := attributeOf(one, "id")
				if id == "" { // a finding or a note
					id = one.EventName + one.Body.GetStringValue()
				}
				s.ids[id]++
				s.total.Add(1)
				if s.keep {
					s.records = append(s.records, one)
				}
			}
		}
	}
}

// unique is how many different records came.
func (s *sink) unique() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}

func attributeOf(r *logs.LogRecord, key string) string {
	for _, a := range r.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// ServeHTTP implements OTLP/HTTP.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-r.Context().Done():
			return
		}
	}
	in := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		in = unzipped
	}
	body, err := io.ReadAll(in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.URL.Path == "/v1/metrics" {
		var request colmetrics.ExportMetricsServiceRequest
		if proto.Unmarshal(body, &request) == nil {
			s.mu.Lock()
			s.metrics = &request
			s.mu.Unlock()
		}
		return
	}
	var request collogs.ExportLogsServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.refuse != nil {
		if status := s.refuse(&request); status != 0 {
			http.Error(w, "refused", status)
			return
		}
	}
	s.take(&request)
}

// Export implements OTLP/gRPC.
func (s *sink) Export(_ context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	s.take(r)
	return &collogs.ExportLogsServiceResponse{}, nil
}

func (s *sink) http(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

func (s *sink) grpc(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collogs.RegisterLogsServiceServer(server, s)
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); done.Wait() })
	return "grpc://" + l.Addr().String()
}

const recipes = "../../deploy/collector/"

// TestCollectorReadsRecipes: the Collector, which has the exporters of all, finds each valid.
func TestCollectorReadsRecipes(t *testing.T) {
	program := collectorProgram(t)
	files, err := filepath.Glob(recipes + "*.yaml")
	if err != nil || len(files) != 4 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "base.yaml" {
			continue
		}
		c := exec.Command(program, "validate", "--config", recipes+"base.yaml", "--config", file)
		c.Env = append(os.Environ(), "CLICKHOUSE_HOST=clickhouse", "LOKI_HOST=loki", "KAFKA_HOST=kafka")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestTailFilter: of an agent with --all the filter of base.yaml keeps what was not
// graceful, and the healthy ends whose close() waited.
func TestTailFilter(t *testing.T) {
	program := collectorProgram(t)
	s := newSink()
	s.keep = true
	base, err := os.ReadFile(recipes + "base.yaml")
	if err != nil {
		t.Fatal(err)
	}
	address, folder := freeAddress(t), t.TempDir()
	text := strings.NewReplacer("0.0.0.0:4318", address, "0.0.0.0:4317", freeAddress(t)).Replace(string(base))
	for name, text := range map[string]string{
		"base.yaml": text,
		"sink.yaml": "exporters: {otlp_http: {endpoint: \"" + s.http(t) + "\"}}\n" +
			"service: {pipelines: {logs: {receivers: [otlp], processors: [memory_limiter, filter/tail, batch], exporters: [otlp_http]}}}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &process{t: t, args: []string{program, "--config", folder + "/base.yaml", "--config", folder + "/sink.yaml"}}
	p.start()
	t.Cleanup(p.kill)
	a := newTest(t, Options{Endpoint: "http://" + address, Choice: Choice{All: true}, Spool: t.TempDir() + "/spool", SpoolSize: 1 << 20})
	blocked := func(d time.Duration) func(*model.Teardown) {
		return func(t *model.Teardown) { healthy(t); t.CloseBlocked = model.Some(d) }
	}
	a.Add(end(1))
	a.Add(end(2, healthy))
	a.Add(end(3, blocked(time.Millisecond)))
	a.Add(end(4, blocked(time.Second)))
	a.Add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 7, Where: "ring"}})
	answered(t, a, 5)
	eventually(t, "what is kept arrives", func() bool { return s.unique() >= 3 })
	time.Sleep(100 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, r := range s.records {
		got = append(got, r.EventName+" "+attributeOf(r, "id"))
	}
	want := "closetrace.tcp.teardown 7f3a-1, closetrace.tcp.teardown 7f3a-4, closetrace.tcp.loss "
	if strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}
