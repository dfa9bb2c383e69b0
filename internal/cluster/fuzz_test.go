package cluster

import (
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// answers is a server whose every answer is the same.
type answers []byte

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(a))}, nil
}

// FuzzAnswers: whatever the API server says, an address has the name of an object that has
// it and that is still known, and a second list leaves no more than it has.
func FuzzAnswers(f *testing.F) {
	list := `{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[` + pod("a", "10.0.0.1", "") + "," + pod("b", "10.0.0.1", "fd00::1") + `]}`
	event := func(kind, object string) string { return `{"type":"` + kind + `","object":` + object + "}\n" }
	f.Add([]byte(list), []byte(event("ADDED", pod("c", "10.0.0.2", ""))+event("DELETED", pod("a", "10.0.0.1", ""))), true)
	f.Add([]byte(`{"items":null}`), []byte(event("BOOKMARK", `{"metadata":{"resourceVersion":"9"}}`)+event("MODIFIED", `{}`)), false)
	f.Add([]byte(`{"items":[{"spec":{"clusterIPs":["::ffff:10.0.0.1","10.0.0.1","None"]}},{"metadata":{"uid":"x"},"spec":{"externalIPs":["10.0.0.1"]}}]`),
		[]byte(event("ERROR", `{"code":410}`)), false)
	account := f.TempDir()
	if err := os.WriteFile(filepath.Join(account, "token"), []byte("x"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, listed, watched []byte, arePods bool) {
		resource := services
		if arePods {
			resource = pods
		}
		n := &Names{client: &client{base: "http://x/", account: account}, log: t.Logf, keep: time.Hour, byUID: map[string]*entry{}, byAddress: map[netip.Addr]*entry{}}
		n.client.http = &http.Client{Transport: answers(listed)}
		_, _ = n.list(t.Context(), resource)
		n.check(t)
		n.client.http.Transport = answers(watched)
		_, _ = n.client.watch(t.Context(), resource, "7", func(change string, o *object) { n.change(resource, change, o) })
		n.check(t)
	})
}

func (n *Names) check(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for uid, e := range n.byUID {
		if e.uid != uid {
			t.Errorf("%q has the entry of %q", uid, e.uid)
		}
	}
	for address, e := range n.byAddress {
		if n.byUID[e.uid] != e {
			t.Errorf("%s has the name of what is forgotten: %+v", address, e.place)
		}
		has := false
		for _, a := range e.addresses {
			has = has || a == address
		}
		if !has {
			t.Errorf("%s is %+v, which has %v", address, e.place, e.addresses)
		}
	}
}
