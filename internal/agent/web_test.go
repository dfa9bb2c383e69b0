package agent

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/closetrace/closetrace/model"
)

// TestManyScrapers: a user who opens connections and asks for nothing, or for nothing
// more, gets no more than a bound of them, and who comes after him gets the page.
func TestManyScrapers(t *testing.T) {
	a := newTest(t, Options{MetricsListen: "127.0.0.1:0"})
	for _, request := range []string{"", "GET", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"} {
		var held []net.Conn
		for range 4 * mostScrapers {
			c, err := net.Dial("tcp", a.MetricsAddress())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, request); err != nil {
				t.Logf("closed at once: %v", err)
			}
			held = append(held, c)
		}
		alive := func() (n int) {
			for _, c := range held {
				_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
					n++
				}
			}
			return n
		}
		eventually(t, "most are closed", func() bool { return alive() <= mostScrapers })
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get("http://" + a.MetricsAddress() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "closetrace_") {
			t.Errorf("after %q: status %d, %v", request, answer.StatusCode, err)
		}
		for _, c := range held {
			c.Close()
		}
	}
}

// TestSlowScrapers: who asks for the page and does not read it keeps nobody else from it.
func TestSlowScrapers(t *testing.T) {
	a := newTest(t, Options{MetricsListen: "127.0.0.1:0", MaxSeries: 40_000})
	for n := range 30_000 { // several megabytes: more than the kernel buffers
		a.Add(end(n, func(t *model.Teardown) { t.Network.Local.Port = uint16(n + 1) }))
	}
	for range 8 {
		c, err := net.Dial("tcp", a.MetricsAddress())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil { // the answer has begun
			t.Fatal(err)
		}
	}
	if text := fetched(t, a, "/metrics"); strings.Count(text, "closetrace_connections_ended_total{") != 30_000 {
		t.Errorf("the page has %d bytes", len(text))
	}
	if text := fetched(t, a, "/healthz"); text != "ok\n" {
		t.Errorf("/healthz says %q", text)
	}
}

// fetched is a page of an agent.
func fetched(t *testing.T, a *Agent, path string) string {
	t.Helper()
	answer, err := http.Get("http://" + a.MetricsAddress() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", path, answer.StatusCode, err)
	}
	return string(body)
}

// TestScrapesShareThePage: however many ask, metrics are gathered once a second.
func TestScrapesShareThePage(t *testing.T) {
	var gathered atomic.Int32
	p := &page{from: prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { gathered.Add(1); return nil, nil })}
	from := time.Now()
	for range 1000 {
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	}
	if got, most := gathered.Load(), 1+int32(time.Since(from)/pageAge); got < 1 || got > most {
		t.Errorf("gathered %d times, want at most %d", got, most)
	}
	p.made = p.made.Add(-pageAge)
	before := gathered.Load()
	p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if gathered.Load() != before+1 {
		t.Error("an old page is served")
	}
}

// TestHealthOfAPageThatHangs: a probe fails once the page has been made for more than a minute.
func TestHealthOfAPageThatHangs(t *testing.T) {
	for since, want := range map[time.Duration]int{0: http.StatusOK, 30 * time.Second: http.StatusOK, 61 * time.Second: http.StatusServiceUnavailable} {
		var p page
		if since != 0 {
			p.began.Store(time.Now().Add(-since).UnixNano())
		}
		answer := httptest.NewRecorder()
		if p.health(answer, nil); answer.Code != want {
			t.Errorf("made since %v: got %d, want %d", since, answer.Code, want)
		}
	}
}
