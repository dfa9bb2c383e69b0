package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

const (
	pods     = "pods"
	services = "services"

	// keepGone is how long the name of what was deleted is kept: the last ends of a pod
	// are reported after it.
	keepGone = time.Minute
	// most bounds the objects that are remembered, at some 400 bytes each.
	most = 200_000

	firstWait = time.Second
	longWait  = time.Minute
)

// Names has the names of all pods and services, as far as they are known now. Its methods
// may be called from any goroutine.
type Names struct {
	client *client
	log    func(format string, args ...any)
	keep   time.Duration
	wait   time.Duration // after a failure; it doubles
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu        sync.RWMutex
	byUID     map[string]*entry
	byAddress map[netip.Addr]*entry
	full      bool
}

type entry struct {
	resource  string
	uid       string
	place     Place
	addresses []netip.Addr
	gone      bool
}

// New takes the cluster that this pod is in, and the service account in a folder. What is
// not known yet has no name; log hears when the server can't be asked.
func New(account string, log func(format string, args ...any)) (*Names, error) {
	c, err := newClient(account)
	if err != nil {
		return nil, fmt.Errorf("names of pods and services: %w", err)
	}
	return &Names{client: c, log: log, keep: keepGone, wait: firstWait, byUID: map[string]*entry{}, byAddress: map[netip.Addr]*entry{}}, nil
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
			version, err = n.client.watch(ctx, resource, version, func(change string, o *object) { n.change(resource, change, o) })
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
		case <-time.After(wait/2 + rand.N(wait)): // #nosec G404 -- it only spreads the load
		case <-ctx.Done():
		}
		wait = min(2*wait, longWait)
	}
}

// list replaces what is known of a resource.
func (n *Names) list(ctx context.Context, resource string) (version string, err error) {
	listed := map[string]bool{}
	version, err = n.client.list(ctx, resource, func(o *object) {
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

func (n *Names) change(resource, kind string, o *object) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.byUID[o.Metadata.UID]
	if kind == "DELETED" {
		if old != nil {
			n.leave(old)
		}
		return
	}
	if old == nil && len(n.byUID) >= most {
		if !n.full {
			n.full = true
			n.log("names: more than %d pods and services; the others have none", most)
		}
		return
	}
	e := &entry{resource: resource, uid: o.Metadata.UID, place: o.place(resource), addresses: o.addresses()}
	if old != nil {
		n.forget(old)
	}
	n.byUID[e.uid] = e
	for _, a := range e.addresses {
		n.byAddress[a] = e // the newest has it
	}
}

// leave forgets e in a while. The caller holds the lock.
func (n *Names) leave(e *entry) {
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
func (n *Names) forget(e *entry) {
	if n.byUID[e.uid] == e {
		delete(n.byUID, e.uid)
	}
	for _, a := range e.addresses {
		if n.byAddress[a] == e {
			delete(n.byAddress, a)
		}
	}
}
