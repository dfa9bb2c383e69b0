package agent

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// balance checks that every record that was offered is accounted for.
func balance(t *testing.T, a *Agent) (exported, suppressed, lost int) {
	t.Helper()
	get := func(name string) int { sum, _ := gathered(t, a, name); return int(sum) }
	offered, waiting := get("log_records_total"), get("log_records_waiting")
	exported, suppressed, lost = get("log_records_exported_total"), get("log_records_suppressed_total"), get("log_records_lost_total")
	if offered != exported+suppressed+lost+waiting {
		t.Errorf("%d offered: %d exported, %d suppressed, %d lost and %d waiting are %d", offered,
			exported, suppressed, lost, waiting, exported+suppressed+lost+waiting)
	}
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

// apiServer answers as the API reference says that an API server does ("Efficient detection
// of changes"): lists with a version, and watches that stream one event a line.
type apiServer struct {
	mu       sync.Mutex
	lists    map[string][]string // objects, as JSON
	version  int
	expired  string // of which the next watch gets 410
	watchers map[chan string]string
	asked    []string // queries
	token    string
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resource := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+resource)
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		s.mu.Unlock()
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`)
		return
	}
	if r.URL.Query().Get("watch") == "" {
		defer s.mu.Unlock()
		fmt.Fprintf(w, `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"%d"},"items":[%s]}`, s.version, strings.Join(s.lists[resource], ","))
		return
	}
	if s.expired == resource {
		s.expired = ""
		s.mu.Unlock()
		fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old resource version: 1 (9)","reason":"Expired","code":410}}`)
		return
	}
	events := make(chan string, 16)
	s.watchers[events] = resource
	s.mu.Unlock()
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case event, open := <-events:
			if !open {
				return
			}
			fmt.Fprintln(w, event)
			w.(http.Flusher).Flush()
		}
	}
}

// happens sends an event to who watches.
func (s *apiServer) happens(resource, change, object string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, of := range s.watchers {
		if of == resource {
			c <- fmt.Sprintf(`{"type":%q,"object":%s}`, change, object)
		}
	}
}

// hangUp ends all watches.
func (s *apiServer) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.watchers {
		close(c)
		delete(s.watchers, c)
	}
}

func (s *apiServer) watched(resource string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.watchers {
		if of == resource {
			return true
		}
	}
	return false
}

func pod(name, ip, more string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"shop","uid":"u-%[1]s","resourceVersion":"7","labels":{"pod-template-hash":"5d4f8c7b9"},
		"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-5d4f8c7b9","uid":"r","controller":true}]},
		"spec":{"nodeName":"node-2","containers":[{"name":"web"}]%[3]s},"status":{"phase":"Running","podIP":%[2]q,"podIPs":[{"ip":%[2]q},{"ip":"fd00::%[2]s"}]}}`, name, ip, more)
}

func service(name, ip string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"shop","uid":"s-%[1]s","resourceVersion":"8"},"spec":{"clusterIP":%[2]q,"clusterIPs":[%[2]q],"externalIPs":["192.0.2.80"]},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.81"}]}}}`, name, ip)
}

// opened is a cluster with two pods and a service, and the names that are known of it.
func opened(t *testing.T, change func(*apiServer)) (*apiServer, *Names, func() string) {
	t.Helper()
	s := &apiServer{version: 5, token: "secret", watchers: map[chan string]string{}, lists: map[string][]string{
		pods:     {pod("web-5d4f8c7b9-x2k4p", "10.244.1.7", ""), pod("proxy", "172.16.0.2", `,"hostNetwork":true`)},
		services: {service("cart", "10.96.0.10"), `{"metadata":{"name":"headless","namespace":"shop","uid":"s-h"},"spec":{"clusterIP":"None","clusterIPs":["None"]},"status":{"loadBalancer":{}}}`},
	}}
	if change != nil {
		change(s)
	}
	listener := httptest.NewTLSServer(s)
	t.Cleanup(func() { s.hangUp(); listener.Close() })
	u, err := url.Parse(listener.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", u.Hostname())
	t.Setenv("KUBERNETES_SERVICE_PORT", u.Port())
	account := t.TempDir()
	writeFile(t, filepath.Join(account, "token"), "secret\n")
	writeFile(t, filepath.Join(account, "ca.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw})))
	var mu sync.Mutex
	var said []string
	n, err := NewNames(account, func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, fmt.Sprintf(format, args...))
	})
	if err != nil {
		t.Fatal(err)
	}
	n.keep, n.wait = 100*time.Millisecond, 5*time.Millisecond
	n.Start(t.Context())
	t.Cleanup(n.Close)
	return s, n, func() string { mu.Lock(); defer mu.Unlock(); return strings.Join(said, "\n") }
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// peer is what is said of an address.
func (n *Names) peer(address string) string {
	return fmt.Sprintf("%+v", n.Of("", netip.MustParseAddr(address)))
}
