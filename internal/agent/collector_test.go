package agent

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// sink is a Collector of the test's own: it reads OTLP by the published protocol.
type sink struct {
	collogs.UnimplementedLogsServiceServer

	// refuse, if set, is the HTTP status for a request instead of taking it.
	refuse func(*collogs.ExportLogsServiceRequest) int
	never  bool // and says so as OTLP wants it
	// partly, if set, is the answer to a request of which not all is taken.
	partly *collogs.ExportLogsPartialSuccess
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
		if refusal := s.refuse(&request); refusal != 0 {
			if s.never {
				w.Header().Set("Content-Type", "application/x-protobuf")
				w.WriteHeader(refusal)
				return
			}
			http.Error(w, "refused", refusal)
			return
		}
	}
	s.take(&request)
	if s.partly != nil {
		answer, err := proto.Marshal(&collogs.ExportLogsServiceResponse{PartialSuccess: s.partly})
		if err == nil {
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write(answer)
		}
	}
}

// Export implements OTLP/gRPC.
func (s *sink) Export(_ context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	if s.refuse != nil && s.refuse(r) != 0 {
		if s.never {
			return nil, status.Error(codes.InvalidArgument, "refused")
		}
		return nil, status.Error(codes.Internal, "refused")
	}
	s.take(r)
	return &collogs.ExportLogsServiceResponse{PartialSuccess: s.partly}, nil
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
