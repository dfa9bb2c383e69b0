package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	pods     = "pods"
	services = "services"

	// keepGone is how long the name of what was deleted is kept: the last ends of a pod
	// are reported after it.
	keepGone = time.Minute
	// mostPlaces bounds the objects that are remembered, at some 400 bytes each.
	mostPlaces = 200_000

	firstPause = time.Second
	longPause  = time.Minute
)

// Names has the names of all pods and services, as far as they are known now. Its methods
// may be called from any goroutine.
type Names struct {
	client *apiClient
	log    func(format string, args ...any)
	keep   time.Duration
	wait   time.Duration // after a failure; it doubles
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu        sync.RWMutex
	byUID     map[string]*placed
	byAddress map[netip.Addr]*placed
	full      bool
}

type placed struct {
	resource  string
	uid       string
	place     Place
	addresses []netip.Addr
	gone      bool
}

// NewNames takes the cluster that this pod is in, and the service account in a folder. What is
// not known yet has no name; log hears when the server can't be asked.
func NewNames(account string, log func(format string, args ...any)) (*Names, error) {
	c, err := newAPIClient(account)
	if err != nil {
		return nil, fmt.Errorf("names of pods and services: %w", err)
	}
	return &Names{client: c, log: log, keep: keepGone, wait: firstPause, byUID: map[string]*placed{}, byAddress: map[netip.Addr]*placed{}}, nil
}

// Start begins to ask.
func (n *Names) Start(ctx context.Context) {
	ctx, n.cancel = context.WithCancel(ctx)
	for _, resource := range []string{pods, services} {
		n.done.Go(func() { n.follow(ctx, resource) })
	}
}

// Close ends it.
func (n *Names) Close() {
	if n.cancel != nil {
		n.cancel()
		n.done.Wait()
	}
}

// Of returns the pod with a UID or, if that is empty, the pod or service with an address;
// zero if none is known.
func (n *Names) Of(uid string, a netip.Addr) Place {
	n.mu.RLock()
	defer n.mu.RUnlock()
	e := n.byAddress[a]
	if uid != "" {
		e = n.byUID[uid]
	}
	if e == nil {
		return Place{}
	}
	return e.place
}

// follow lists and then watches, until the end.
func (n *Names) follow(ctx context.Context, resource string) {
	version, wait := "", n.wait
	for ctx.Err() == nil {
		var err error
		if version == "" {
			version, err = n.list(ctx, resource)
		} else {
			version, err = n.client.watch(ctx, resource, version, func(change string, o *apiObject) { n.change(resource, change, o) })
		}
		switch {
		case err == nil:
			wait = n.wait
			continue
		case ctx.Err() != nil:
			return
		case errors.Is(err, errExpired):
			version = ""
		case wait == n.wait:
			n.log("names of %s: %v; tracing goes on, and it is tried again", resource, err)
		}
		select { // not all nodes at once
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
		}
		wait = min(2*wait, longPause)
	}
}

// list replaces what is known of a resource.
func (n *Names) list(ctx context.Context, resource string) (version string, err error) {
	listed := map[string]bool{}
	version, err = n.client.list(ctx, resource, func(o *apiObject) {
		listed[o.Metadata.UID] = true
		n.change(resource, "ADDED", o)
	})
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for uid, e := range n.byUID {
		if e.resource == resource && !listed[uid] {
			n.leave(e)
		}
	}
	return version, nil
}

func (n *Names) change(resource, kind string, o *apiObject) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.byUID[o.Metadata.UID]
	if kind == "DELETED" {
		if old != nil {
			n.leave(old)
		}
		return
	}
	if old == nil && len(n.byUID) >= mostPlaces {
		if !n.full {
			n.full = true
			n.log("names: more than %d pods and services; the others have none", mostPlaces)
		}
		return
	}
	e := &placed{resource: resource, uid: o.Metadata.UID, place: o.place(resource), addresses: o.addresses()}
	if old != nil {
		n.forget(old)
	}
	n.byUID[e.uid] = e
	for _, a := range e.addresses {
		n.byAddress[a] = e // the newest has it
	}
}

// leave forgets e in a while. The caller holds the lock.
func (n *Names) leave(e *placed) {
	if e.gone {
		return
	}
	e.gone = true
	time.AfterFunc(n.keep, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.forget(e)
	})
}

// forget removes what is still e's. The caller holds the lock.
func (n *Names) forget(e *placed) {
	if n.byUID[e.uid] == e {
		delete(n.byUID, e.uid)
	}
	for _, a := range e.addresses {
		if n.byAddress[a] == e {
			delete(n.byAddress, a)
		}
	}
}

// Place is a pod, or a service. What it lacks is empty.
type Place struct{ Pod, UID, Namespace, Deployment, Node, Service string }

// apiObject is what is read of a pod or a service; members that the other kind has are empty.
type apiObject struct {
	Metadata apiMetadata
	Spec     struct {
		NodeName    string
		HostNetwork bool // its address is the node's, and those of others there
		ClusterIP   string
		ClusterIPs  []string
		ExternalIPs []string
	}
	Status struct {
		Phase        string
		PodIPs       []apiAddress
		LoadBalancer struct{ Ingress []apiAddress }
	}
}

type apiMetadata struct {
	Name, Namespace, UID, ResourceVersion string
	Labels                                struct {
		Hash string `json:"pod-template-hash"`
	}
	OwnerReferences []struct {
		Kind, Name string
		Controller bool
	}
}

type apiAddress struct{ IP string }

type apiStatus struct {
	Code    int
	Message string
}

// place returns what is known of the object.
func (o *apiObject) place(resource string) Place {
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
func (o *apiObject) addresses() (list []netip.Addr) {
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
