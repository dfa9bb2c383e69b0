package agent

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
)

// TestPartialSuccess: what the Collector rejects of a batch is lost, the rest is exported,
// and nothing is sent again. An answer that only warns is a success.
func TestPartialSuccess(t *testing.T) {
	for _, protocol := range []string{"http", "grpc"} {
		for _, c := range []struct {
			said     *collogs.ExportLogsPartialSuccess
			exported int
		}{
			{&collogs.ExportLogsPartialSuccess{RejectedLogRecords: 2, ErrorMessage: "too old"}, 3},
			{&collogs.ExportLogsPartialSuccess{ErrorMessage: "deprecated"}, 5},
			{&collogs.ExportLogsPartialSuccess{RejectedLogRecords: 1 << 40}, 0},
			{&collogs.ExportLogsPartialSuccess{RejectedLogRecords: -1}, 5},
		} {
			s := newSink()
			s.partly = c.said
			endpoint := map[string]func(*testing.T) string{"http": s.http, "grpc": s.grpc}[protocol](t)
			a := newTest(t, Options{Endpoint: endpoint})
			for n := range 5 {
				a.Add(end(n))
			}
			a.mu.Lock()
			a.flush()
			a.mu.Unlock()
			eventually(t, "all answers have come", func() bool { waiting, _ := gathered(t, a, "log_records_waiting"); return waiting == 0 })
			closed(t, a)
			if exported, _, lost := balance(t, a); exported != c.exported || lost != 5-c.exported || s.total.Load() != 5 {
				t.Errorf("%s, %v: %d exported, %d lost, %d arrived; want %d exported of 5", protocol, c.said, exported, lost, s.total.Load(), c.exported)
			}
		}
	}
}

// TestRedirect: a redirect is a failure, and nothing is sent where it leads.
func TestRedirect(t *testing.T) {
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		var followed atomic.Int32
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
		defer elsewhere.Close()
		from := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		defer from.Close()
		a := newTest(t, Options{Endpoint: from.URL})
		a.Add(end(1))
		closed(t, a)
		if exported, _, lost := balance(t, a); exported != 0 || lost != 1 || followed.Load() != 0 {
			t.Errorf("status %d: %d exported, %d lost, %d requests elsewhere; want 1 lost", status, exported, lost, followed.Load())
		}
	}
}

// TestCertificate: the standard variables say whom to trust, and a file that is none is an error.
func TestCertificate(t *testing.T) {
	s := newSink()
	server := httptest.NewTLSServer(s)
	defer server.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", path)
	a := newTest(t, Options{Endpoint: server.URL})
	a.Add(end(1))
	closed(t, a)
	if exported, _, _ := balance(t, a); exported != 1 || s.unique() != 1 {
		t.Errorf("%d exported, %d arrived, want 1", exported, s.unique())
	}
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", path)
	for name, value := range map[string]string{"CERTIFICATE": os.Args[0], "CLIENT_CERTIFICATE": path} {
		t.Setenv("OTEL_EXPORTER_OTLP_LOGS_"+name, value)
		if _, err := httpClient("LOGS"); err == nil {
			t.Errorf("%s=%s is taken", name, value)
		}
		t.Setenv("OTEL_EXPORTER_OTLP_LOGS_"+name, "")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10s") // a wrong number ends nothing, as by gRPC
	if c, err := httpClient("LOGS"); err != nil || c.Timeout != 10*time.Second {
		t.Errorf("with a TIMEOUT of 10s: %v", err)
	}
}
