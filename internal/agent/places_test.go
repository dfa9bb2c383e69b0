package agent

import (
	"testing"

	"github.com/closetrace/closetrace/internal/cluster"
	"github.com/closetrace/closetrace/model"
)

// TestPlaces: what the record says stays, what it lacks is added; also through the spool,
// and only to its own record.
func TestPlaces(t *testing.T) {
	known := model.K8s{Pod: model.Pod{UID: "u", Name: "as the node has it"}}
	names := map[string]string{}
	name(names, "k8s.", cluster.Place{Pod: "web-1", UID: "u", Namespace: "shop", Deployment: "web"}, &known)
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
