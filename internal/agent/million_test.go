package agent

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// need skips the test, unless CLOSETRACE_REQUIRE says that it must not be.
func need(t *testing.T, word, reason string) {
	t.Helper()
	if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), word) {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// freeAddress is one on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// process is a program that runs meanwhile; its output is the test's if it fails.
type process struct {
	t    *testing.T
	args []string
	*exec.Cmd
}

func (p *process) start() {
	p.t.Helper()
	p.Cmd = exec.Command(p.args[0], p.args[1:]...)
	log, err := os.OpenFile(filepath.Join(p.t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.Stdout, p.Stderr = log, log
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) kill() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// collectorProgram is an OpenTelemetry Collector.
func collectorProgram(t *testing.T) string {
	t.Helper()
	program := os.Getenv("CLOSETRACE_COLLECTOR")
	if program == "" {
		need(t, "collector", "no Collector: make collector, and set CLOSETRACE_COLLECTOR to it")
	}
	return program
}

// collector is a real one, which passes records on to the sink and answers only when
// the sink has.
func collector(t *testing.T, to string) (p *process, endpoint string) {
	t.Helper()
	program := collectorProgram(t)
	address := freeAddress(t)
	config := filepath.Join(t.TempDir(), "collector.yaml")
	text := fmt.Sprintf(`
receivers: {otlp: {protocols: {http: {endpoint: %s}}}}
exporters: {otlp_http: {endpoint: "%s", compression: none, sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
  pipelines: {logs: {receivers: [otlp], exporters: [otlp_http]}, metrics: {receivers: [otlp], exporters: [otlp_http]}}
`, address, to)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p = &process{t: t, args: []string{program, "--config", config}}
	p.start()
	t.Cleanup(func() { p.kill() })
	return p, "http://" + address
}

// TestCollectorKilled sends many ends through a real Collector that is killed twice.
// What arrived is what was offered, without what was suppressed or lost; and Prometheus
// has the same sums.
func TestCollectorKilled(t *testing.T) {
	ends := 100_000
	if text := os.Getenv("CLOSETRACE_ENDS"); text != "" {
		var err error
		if ends, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := newSink()
	c, endpoint := collector(t, s.http(t))
	a := newTest(t, Options{
		Endpoint: endpoint, Spool: t.TempDir() + "/spool", SpoolSize: 1 << 30, MetricsListen: "127.0.0.1:0",
		Choice: Choice{Rate: 1}, // of the first tenth
	})
	query := prometheusOf(t, a.MetricsAddress())
	from := time.Now()
	for n := range ends {
		if n == ends/10 {
			a.Choose(Choice{})
		}
		if n == ends/3 || n == 2*ends/3 {
			c.kill()
		}
		if n == ends/3+ends/20 || n == 2*ends/3+ends/20 {
			c.start()
		}
		if n%1000 == 0 {
			time.Sleep(time.Until(from.Add(time.Duration(n/1000) * 50 * time.Millisecond))) // 20,000 a second
		}
		a.Add(end(n))
	}
	sent := time.Since(from)
	a.mu.Lock()
	a.flush()
	a.mu.Unlock()
	var last int
	for until := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if waiting, _ := gathered(t, a, "log_records_waiting"); waiting == 0 {
			break
		}
		if now := s.unique(); now != last {
			last, until = now, time.Now().Add(time.Minute)
		}
		if time.Now().After(until) {
			t.Fatalf("nothing more arrives for a minute; %d did", last)
		}
	}
	exported, suppressed, lost := balance(t, a)
	arrived := s.unique()
	sum, _ := gathered(t, a, "log_records_total")
	offered := int(sum) // findings too
	t.Logf("%d ends in %v, all settled after %v: %d exported, %d suppressed, %d lost; %d arrived, %d of them again",
		ends, sent.Round(time.Second), time.Since(from).Round(time.Second), exported, suppressed, lost, arrived, int(s.total.Load())-arrived)
	if arrived != exported || arrived != offered-suppressed-lost || offered < ends || suppressed < ends/20 {
		t.Errorf("%d arrived, want %d - %d - %d", arrived, offered, suppressed, lost)
	}
	if again := int(s.total.Load()) - arrived; again > 4*batchSize {
		t.Errorf("%d arrived again, want at most the batches under way at the two kills", again)
	}
	if query == nil {
		return
	}
	for expression, want := range map[string]int{
		`sum(closetrace_connections_ended_total)`: ends, `closetrace_log_records_exported_total`: exported,
		`sum(closetrace_log_records_suppressed_total)`: suppressed, `sum(closetrace_log_records_lost_total)`: lost,
		`closetrace_log_records_total - closetrace_log_records_exported_total`: suppressed + lost,
		`sum(closetrace_lost_bytes_total{direction="unread"})`:                 ends * 512,
	} {
		got := 0
		eventually(t, "Prometheus says "+expression, func() bool { got = query(expression); return got == want })
		if got != want {
			t.Errorf("Prometheus: %s = %d, want %d", expression, got, want)
		}
	}
}

// prometheusOf starts a real Prometheus that scrapes address, and returns what asks it;
// nil if it is not installed.
func prometheusOf(t *testing.T, address string) func(expression string) int {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "prometheus") {
			t.Fatal(err)
		}
		t.Log("no Prometheus: its sums are not compared (apt install prometheus)")
		return nil
	}
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	text := fmt.Sprintf("scrape_configs: [{job_name: closetrace, scrape_interval: 1s, static_configs: [{targets: [%q]}]}]\n", address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	p := &process{t: t, args: []string{
		program, "--config.file", config, "--storage.tsdb.path", t.TempDir(), "--web.listen-address", listen, "--log.level", "error",
	}}
	p.start()
	t.Cleanup(func() { p.kill() })
	return func(expression string) int {
		answer, err := http.Get("http://" + listen + "/api/v1/query?query=" + url.QueryEscape(expression))
		if err != nil {
			return -1 // it is not up yet
		}
		defer answer.Body.Close()
		var said struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		if json.NewDecoder(answer.Body).Decode(&said) != nil || len(said.Data.Result) != 1 {
			return -1
		}
		n, err := strconv.ParseFloat(fmt.Sprint(said.Data.Result[0].Value[1]), 64)
		if err != nil {
			return -1
		}
		return int(n)
	}
}
