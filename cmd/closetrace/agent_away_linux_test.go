package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
)

// takenIn counts the records of OTLP by id.
type takenIn struct {
	mu  sync.Mutex
	ids map[string]int
	all int
}

func (s *takenIn) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var request collogs.ExportLogsServiceRequest
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/v1/logs" || proto.Unmarshal(body, &request) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, one := range scope.LogRecords {
				id := one.EventName + fmt.Sprint(one.TimeUnixNano) + one.Body.GetStringValue() // losses may be of one time
				for _, a := range one.Attributes {
					if a.Key == "id" {
						id = one.EventName + a.Value.GetStringValue()
					}
				}
				s.ids[id]++
				s.all++
			}
		}
	}
}

func (s *takenIn) count() (unique, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids), s.all
}

// resets makes connections that are reset, at a rate, until stop.
func resets(t *testing.T, rate int, stop <-chan struct{}) (made *atomic.Int64, done *sync.WaitGroup) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	made, done = new(atomic.Int64), new(sync.WaitGroup)
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1)) // until the reset
			c.Close()
		}
	})
	from := time.Now()
	var turn atomic.Int64
	for range 8 {
		done.Go(func() {
			for {
				n := turn.Add(1)
				time.Sleep(time.Until(from.Add(time.Duration(n) * time.Second / time.Duration(rate))))
				select {
				case <-stop:
					l.Close()
					return
				default:
				}
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					continue
				}
				_ = c.(*net.TCPConn).SetLinger(0)
				c.Close()
				made.Add(1)
			}
		})
	}
	return made, done
}

// rssAnon is a process's own memory in bytes.
func rssAnon(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, found := strings.Cut(string(text), "\nRssAnon:")
	if err != nil || !found {
		t.Fatalf("the agent is gone: %v", err)
	}
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestCollectorAway: while the Collector is away, for CLOSETRACE_AWAY, the agent stays
// below 80 MB, and then the spool is drained: what arrives is what was to be sent, less
// what is counted as suppressed or lost.
func TestCollectorAway(t *testing.T) {
	needCapabilities(t)
	away, most := 3*time.Second, 80_000_000
	if text := os.Getenv("CLOSETRACE_AWAY"); text != "" {
		var err error
		if away, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	collector, metrics := free(), free()
	c := exec.Command(program(t), "agent", "--otlp-endpoint", "http://"+collector, "--metrics-listen", metrics, "--max-rate", "0",
		"--process", filepath.Base(os.Args[0])[:min(15, len(filepath.Base(os.Args[0])))],
		"--spool", filepath.Join(t.TempDir(), "spool"), "--spool-size", "2GB")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if answer, err := http.Get("http://" + metrics + "/metrics"); err == nil {
			answer.Body.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%v: %s", err, &said)
		}
	}
	stop := make(chan struct{})
	made, done := resets(t, 2500, stop) // each has two ends
	highest, spool := 0, 0.0
	from := time.Now()
	for time.Since(from) < away {
		highest = max(highest, rssAnon(t, c.Process.Pid))
		spool = max(spool, sample(t, metrics, `closetrace_spool_bytes`))
		time.Sleep(min(time.Second, away/10))
	}
	close(stop)
	done.Wait()
	before := highest
	rate, processor := float64(made.Load())/time.Since(from).Seconds(), 100*sample(t, metrics, "process_cpu_seconds_total")/time.Since(from).Seconds()
	get := func(name string) int { return int(sample(t, metrics, "closetrace_log_records_"+name)) }
	sum := func(name string, reasons ...string) (n int) {
		for _, reason := range reasons {
			n += get(name + `_total\{reason="` + reason + `"\}`)
		}
		return n
	}
	l, err := net.Listen("tcp", collector)
	if err != nil {
		t.Fatal(err)
	}
	sink := &takenIn{ids: map[string]int{}}
	server := &http.Server{Handler: sink}
	done.Go(func() { _ = server.Serve(l) })
	defer func() { server.Close(); done.Wait() }()
	time.Sleep(2 * time.Second) // the last batch is on its way
	back := time.Now()
	for last, until := 0, time.Now().Add(2*time.Minute); get("waiting") > 0; time.Sleep(200 * time.Millisecond) {
		highest = max(highest, rssAnon(t, c.Process.Pid))
		if now, _ := sink.count(); now != last {
			last, until = now, time.Now().Add(2*time.Minute)
		}
		if time.Now().After(until) {
			t.Fatalf("%d wait, and nothing arrives for two minutes: %s", get("waiting"), &said)
		}
	}
	offered, exported := get("total"), get("exported_total")
	suppressed, lost := sum("suppressed", "rate", "shedding"), sum("lost", "queue", "spool", "disk", "refused", "end")
	arrived, all := sink.count()
	missed := 0.0
	for _, where := range []string{"hook", "ring-buffer", "late-evidence"} {
		missed += sample(t, metrics, `closetrace_missed_events_total\{where="`+where+`"\}`)
	}
	t.Logf("away for %v: %d connections reset, %.0f ends a second; %.1f %% of a processor, RssAnon at most %.1f MB, then %.1f MB, spool %.1f MB; drained in %v: %d records = %d exported + %d suppressed + %d lost; %d arrived, %d again; %.0f events missed",
		away, made.Load(), 2*rate, processor, float64(before)/1e6, float64(highest)/1e6, spool/1e6, time.Since(back).Round(time.Second), offered, exported, suppressed, lost, arrived, all-arrived, missed)
	if arrived != offered-suppressed-lost || arrived != exported {
		t.Errorf("%d arrived, want %d - %d - %d", arrived, offered, suppressed, lost)
	}
	const unaccepted = 8 // at most, when the load stops
	if offered+int(missed) < 2*(int(made.Load())-unaccepted) {
		t.Errorf("%d records of %d connections, %v events missed", offered, made.Load(), missed)
	}
	if highest >= most {
		t.Errorf("%d bytes of anonymous memory, want less than %d", highest, most)
	}
}
