package agent

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// 10,000 names, 10,000 ports and 100,000 peers: all are counted, in a bounded number of series.
func TestCardinality(t *testing.T) {
	a := newTest(t, Options{MaxSeries: 500})
	const ends = 100_000
	for n := range ends {
		a.Add(end(n, func(t *model.Teardown) {
			t.Process.Name = fmt.Sprintf("name-%d\xff", n%10_000)
			t.Network.Local.Port = uint16(1 + n%10_000)
			t.Network.Peer.Address = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
			t.Cause = model.Cause(1 + n%20)
			t.TCP.Idle, t.CloseBlocked = model.Some(time.Duration(n)), model.Some(time.Duration(n))
		}))
	}
	for name, most := range map[string]int{
		"connections_ended_total": 500 + 20*3, "lost_bytes_total": 2 * (500/20 + 1), "idle_before_close_seconds": 6, "close_blocked_seconds": 6,
	} {
		if _, series := gathered(t, a, name); series > most || series == 0 {
			t.Errorf("%s has %d series, want at most %d", name, series, most)
		}
	}
	if sum, _ := gathered(t, a, "connections_ended_total"); sum != ends {
		t.Errorf("%v ends are counted, want %d", sum, ends)
	}
	if sum, _ := gathered(t, a, "lost_bytes_total"); sum != ends*512 {
		t.Errorf("%v bytes, want %d", sum, ends*512)
	}
}

// The limits are kept by leaving out, in the promised order, and it comes back.
func TestShedding(t *testing.T) {
	s := newSink()
	a := newTest(t, Options{Endpoint: s.http(t)})
	memory := int64(100)
	a.shedder.memory, a.shedder.usage = 50, func() (int64, time.Duration) { return memory, 0 }
	now := time.Now()
	said := []string{}
	look := func(seconds int) {
		for range seconds {
			now = now.Add(time.Second)
			if text := a.shedder.look(now); text != "" {
				said = append(said, text)
			}
		}
	}
	look(7)
	if a.shedder.now() != shedEvents {
		t.Errorf("level %d after 7 s", a.shedder.now())
	}
	a.Add(end(1))
	look(20)
	if a.shedder.now() != shedProcesses || len(said) != 3 {
		t.Errorf("level %d, said %q", a.shedder.now(), said)
	}
	a.Add(end(2))
	memory = 10
	look(250)
	if a.shedder.now() != shedNothing {
		t.Errorf("level %d after memory was free for 4 minutes", a.shedder.now())
	}
	a.Add(end(3))
	closed(t, a)
	if exported, suppressed, _ := balance(t, a); exported != 1 || suppressed != 2 {
		t.Errorf("%d exported, %d suppressed, want 1 and 2", exported, suppressed)
	}
	if sum, series := gathered(t, a, "connections_ended_total"); sum != 3 || series != 2 {
		t.Errorf("%v ends in %d series, want 3 in that of nginx and the other", sum, series)
	}
}

func BenchmarkHealthyEnd(b *testing.B) {
	a, err := New(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	ends := make([]*model.Record, 1<<16) // more than are remembered: no two of them are alike
	for i := range ends {
		ends[i] = end(i, healthy, func(t *model.Teardown) { t.TCP.Idle = model.Some(time.Second) })
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		r := ends[n%len(ends)]
		r.Teardown.Time = began.Add(time.Duration(n) * 50 * time.Microsecond) // 20,000 a second
		a.Add(r)
		n++
	}
}

const (
	webPod = "{Pod:web-5d4f8c7b9-x2k4p UID:u-web-5d4f8c7b9-x2k4p Namespace:shop Deployment:web Node:node-2 Service:}"
	cart   = "{Pod: UID: Namespace:shop Deployment: Node: Service:cart}"
	nobody = "{Pod: UID: Namespace: Deployment: Node: Service:}"
)

func TestNames(t *testing.T) {
	s, n, _ := opened(t, nil)
	eventually(t, "both are listed and watched", func() bool { return s.watched(pods) && s.watched(services) })
	for address, want := range map[string]string{
		"10.244.1.7": webPod, "fd00::10.244.1.7": webPod, "10.96.0.10": cart, "192.0.2.80": cart, "192.0.2.81": cart,
		"172.16.0.2": nobody, "10.0.0.1": nobody, // a node's, nobody's
	} {
		if got := n.peer(address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
	for _, asked := range s.asked {
		if asked != "GET pods" && asked != "GET services" {
			t.Errorf("asked %s", asked)
		}
	}
}

func TestNamesChange(t *testing.T) {
	s, n, _ := opened(t, nil)
	eventually(t, "watched", func() bool { return s.watched(pods) })
	s.happens(pods, "BOOKMARK", `{"metadata":{"resourceVersion":"9"}}`)
	s.happens(pods, "ADDED", pod("new", "10.244.1.8", ""))
	eventually(t, "the new pod", func() bool { return strings.Contains(n.peer("10.244.1.8"), "Pod:new ") })
	s.happens(pods, "MODIFIED", pod("new", "10.244.1.9", ""))
	eventually(t, "its other address", func() bool { return strings.Contains(n.peer("10.244.1.9"), "Pod:new ") })
	if got := n.peer("10.244.1.8"); got != nobody {
		t.Errorf("its old address is %s", got)
	}
	s.happens(pods, "DELETED", pod("new", "10.244.1.9", ""))
	s.happens(pods, "ADDED", pod("next", "10.244.1.9", "")) // has its address before it is forgotten
	eventually(t, "the next", func() bool { return strings.Contains(n.peer("10.244.1.9"), "Pod:next ") })
	time.Sleep(3 * n.keep)
	if got := n.peer("10.244.1.9"); !strings.Contains(got, "Pod:next ") {
		t.Errorf("with the old pod the new one was forgotten: %s", got)
	}
	s.happens(pods, "MODIFIED", strings.Replace(pod("next", "10.244.1.9", ""), "Running", "Succeeded", 1))
	eventually(t, "an ended pod has no address", func() bool { return n.peer("10.244.1.9") == nobody })
}

// TestListedAgain: what was deleted while nobody watched is forgotten.
func TestNamesListedAgain(t *testing.T) {
	s, n, _ := opened(t, nil)
	eventually(t, "known", func() bool { return n.peer("10.244.1.7") == webPod && s.watched(pods) })
	s.mu.Lock()
	s.expired, s.lists[pods] = pods, []string{pod("other", "10.244.1.99", "")}
	s.mu.Unlock()
	s.hangUp()
	eventually(t, "the other", func() bool { return n.peer("10.244.1.99") != nobody })
	eventually(t, "the first is forgotten", func() bool { return n.peer("10.244.1.7") == nobody })
}

func TestNamesByUID(t *testing.T) {
	_, n, _ := opened(t, nil)
	eventually(t, "known", func() bool { return n.peer("10.244.1.7") == webPod })
	address := netip.MustParseAddr("10.244.1.7")
	if got := n.Of("u-proxy", address); got.Pod != "proxy" {
		t.Errorf("got %+v, want the pod on the node's network", got)
	}
	if got := n.Of("another", address); got != (Place{}) {
		t.Errorf("a pod that is not known is %+v", got)
	}
}

// TestRefused: without the right it says so, once, and works when it is given.
func TestNamesRefused(t *testing.T) {
	s, n, said := opened(t, func(s *apiServer) { s.token = "other" })
	eventually(t, "it says so", func() bool { return strings.Contains(said(), `401 Unauthorized: "Unauthorized"`) })
	s.mu.Lock()
	s.token = "secret"
	s.mu.Unlock()
	eventually(t, "known", func() bool { return n.peer("10.244.1.7") == webPod })
	if strings.Count(said(), "names of pods") != 1 {
		t.Errorf("said %q", said())
	}
}

func TestNamesOutside(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := NewNames(t.TempDir(), t.Logf); err == nil || !strings.Contains(err.Error(), "not in a pod") {
		t.Error(err)
	}
}

// TestPlaces: what the record says stays, what it lacks is added; also through the spool,
// and only to its own record.
func TestPlaces(t *testing.T) {
	known := model.K8s{Pod: model.Pod{UID: "u", Name: "as the node has it"}}
	names := map[string]string{}
	name(names, "k8s.", Place{Pod: "web-1", UID: "u", Namespace: "shop", Deployment: "web"}, &known)
	if len(names) != 2 || names["k8s.namespace.name"] != "shop" || names["k8s.deployment.name"] != "web" {
		t.Errorf("names %v", names)
	}
	s, away := awaySink()
	s.keep = true
	url, dir := s.http(t), t.TempDir()+"/spool"
	a := newTest(t, Options{Endpoint: url, Spool: dir, SpoolSize: 1 << 20})
	a.meter.offered.Add(2)
	a.meter.waiting.Add(2)
	a.mu.Lock()
	a.batch.add(end(1), map[string]string{"peer_process.k8s.service.name": "cart"})
	a.batch.add(end(2), nil)
	a.mu.Unlock()
	closed(t, a)
	away.Store(false)
	b := newTest(t, Options{Endpoint: url, Spool: dir, SpoolSize: 1 << 20})
	answered(t, b, 2)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) != 2 || attributeOf(s.records[0], "peer_process.k8s.service.name") != "cart" || attributeOf(s.records[1], "peer_process.k8s.service.name") != "" {
		t.Errorf("%d records arrived, with the names %q", len(s.records), attributeOf(s.records[0], "peer_process.k8s.service.name"))
	}
}
