package cluster

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
)

// server answers as the API reference says that an API server does ("Efficient detection
// of changes"): lists with a version, and watches that stream one event a line.
type server struct {
	mu       sync.Mutex
	lists    map[string][]string // objects, as JSON
	version  int
	expired  string // of which the next watch gets 410
	watchers map[chan string]string
	asked    []string // queries
	token    string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
func (s *server) happens(resource, change, object string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, of := range s.watchers {
		if of == resource {
			c <- fmt.Sprintf(`{"type":%q,"object":%s}`, change, object)
		}
	}
}

// hangUp ends all watches.
func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.watchers {
		close(c)
		delete(s.watchers, c)
	}
}

func (s *server) watched(resource string) bool {
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
func opened(t *testing.T, change func(*server)) (*server, *Names, func() string) {
	t.Helper()
	s := &server{version: 5, token: "secret", watchers: map[chan string]string{}, lists: map[string][]string{
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
	write(t, filepath.Join(account, "token"), "secret\n")
	write(t, filepath.Join(account, "ca.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw})))
	var mu sync.Mutex
	var said []string
	n, err := New(account, func(format string, args ...any) {
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

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// peer is what is said of an address.
func (n *Names) peer(address string) string {
	return fmt.Sprintf("%+v", n.Of("", netip.MustParseAddr(address)))
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

const (
	web    = "{Pod:web-5d4f8c7b9-x2k4p UID:u-web-5d4f8c7b9-x2k4p Namespace:shop Deployment:web Node:node-2 Service:}"
	cart   = "{Pod: UID: Namespace:shop Deployment: Node: Service:cart}"
	nobody = "{Pod: UID: Namespace: Deployment: Node: Service:}"
)

func TestNames(t *testing.T) {
	s, n, _ := opened(t, nil)
	eventually(t, "both are listed and watched", func() bool { return s.watched(pods) && s.watched(services) })
	for address, want := range map[string]string{
		"10.244.1.7": web, "fd00::10.244.1.7": web, "10.96.0.10": cart, "192.0.2.80": cart, "192.0.2.81": cart,
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

func TestChanges(t *testing.T) {
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
func TestListedAgain(t *testing.T) {
	s, n, _ := opened(t, nil)
	eventually(t, "known", func() bool { return n.peer("10.244.1.7") == web && s.watched(pods) })
	s.mu.Lock()
	s.expired, s.lists[pods] = pods, []string{pod("other", "10.244.1.99", "")}
	s.mu.Unlock()
	s.hangUp()
	eventually(t, "the other", func() bool { return n.peer("10.244.1.99") != nobody })
	eventually(t, "the first is forgotten", func() bool { return n.peer("10.244.1.7") == nobody })
}

func TestByUID(t *testing.T) {
	_, n, _ := opened(t, nil)
	eventually(t, "known", func() bool { return n.peer("10.244.1.7") == web })
	address := netip.MustParseAddr("10.244.1.7")
	if got := n.Of("u-proxy", address); got.Pod != "proxy" {
		t.Errorf("got %+v, want the pod on the node's network", got)
	}
	if got := n.Of("another", address); got != (Place{}) {
		t.Errorf("a pod that is not known is %+v", got)
	}
}

// TestRefused: without the right it says so, once, and works when it is given.
func TestRefused(t *testing.T) {
	s, n, said := opened(t, func(s *server) { s.token = "other" })
	eventually(t, "it says so", func() bool { return strings.Contains(said(), `401 Unauthorized: "Unauthorized"`) })
	s.mu.Lock()
	s.token = "secret"
	s.mu.Unlock()
	eventually(t, "known", func() bool { return n.peer("10.244.1.7") == web })
	if strings.Count(said(), "names of pods") != 1 {
		t.Errorf("said %q", said())
	}
}

func TestOutside(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := New(t.TempDir(), t.Logf); err == nil || !strings.Contains(err.Error(), "not in a pod") {
		t.Error(err)
	}
}
