package agent

import (
	"github.com/closetrace/closetrace/internal/cluster"
	"github.com/closetrace/closetrace/model"
)

// places returns attributes that only the cluster knows: the deployment of the end's own
// pod, and what its peer is, on whatever node.
func (a *Agent) places(r *model.Record) map[string]string {
	if a.o.Names == nil || r.Kind != model.KindTeardown && r.Kind != model.KindOutcome {
		return nil
	}
	t, names := &r.Teardown, map[string]string{}
	own := a.o.Names.Of(t.K8s.Pod.UID, t.Network.Local.Address)
	own.Node = "" // the resource has it
	name(names, "k8s.", own, &t.K8s)
	name(names, "peer_process.k8s.", a.o.Names.Of(t.PeerProcess.K8s.Pod.UID, t.Network.Peer.Address), &t.PeerProcess.K8s)
	return names
}

// name adds what is known of a place and not in the record.
func name(names map[string]string, prefix string, p cluster.Place, known *model.K8s) {
	if known.Pod.UID == "" {
		put(names, prefix+"pod.uid", p.UID)
	}
	if known.Pod.Name == "" {
		put(names, prefix+"pod.name", p.Pod)
	}
	if known.Namespace.Name == "" {
		put(names, prefix+"namespace.name", p.Namespace)
	}
	put(names, prefix+"deployment.name", p.Deployment)
	put(names, prefix+"node.name", p.Node)
	put(names, prefix+"service.name", p.Service)
}

func put(names map[string]string, key, value string) {
	if value != "" {
		names[key] = value
	}
}
