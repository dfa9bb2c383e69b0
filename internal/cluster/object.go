package cluster

import (
	"net/netip"
	"strings"
)

// Place is a pod, or a service. What it lacks is empty.
type Place struct{ Pod, UID, Namespace, Deployment, Node, Service string }

// object is what is read of a pod or a service; members that the other kind has are empty.
type object struct {
	Metadata metadata
	Spec     struct {
		NodeName    string
		HostNetwork bool // its address is the node's, and those of others there
		ClusterIP   string
		ClusterIPs  []string
		ExternalIPs []string
	}
	Status struct {
		Phase        string
		PodIPs       []address
		LoadBalancer struct{ Ingress []address }
	}
}

type metadata struct {
	Name, Namespace, UID, ResourceVersion string
	Labels                                struct {
		Hash string `json:"pod-template-hash"`
	}
	OwnerReferences []struct {
		Kind, Name string
		Controller bool
	}
}

type address struct{ IP string }

type status struct {
	Code    int
	Message string
}

// place returns what is known of the object.
func (o *object) place(resource string) Place {
	p := Place{Namespace: o.Metadata.Namespace}
	if resource == services {
		p.Service = o.Metadata.Name
		return p
	}
	p.Pod, p.UID, p.Node = o.Metadata.Name, o.Metadata.UID, o.Spec.NodeName
	for _, owner := range o.Metadata.OwnerReferences {
		// A Deployment's ReplicaSets have its name and the hash of their pods' template.
		if of, ok := strings.CutSuffix(owner.Name, "-"+o.Metadata.Labels.Hash); ok && owner.Controller && owner.Kind == "ReplicaSet" {
			p.Deployment = of
		}
	}
	return p
}

// addresses are those that are the object's alone.
func (o *object) addresses() (list []netip.Addr) {
	if o.Spec.HostNetwork || o.Status.Phase == "Succeeded" || o.Status.Phase == "Failed" {
		return nil // an ended pod's address may be another's
	}
	texts := append(append([]string{o.Spec.ClusterIP}, o.Spec.ClusterIPs...), o.Spec.ExternalIPs...)
	for _, a := range append(o.Status.PodIPs, o.Status.LoadBalancer.Ingress...) {
		texts = append(texts, a.IP)
	}
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil { // "", None: it has none
			list = append(list, a.Unmap())
		}
	}
	return list
}
