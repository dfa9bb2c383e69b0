package findings

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// cover finds groups that another finding says better: attempts to connect that were given up at
// once, while others of the same peer and port were rejected; SYNs without an answer to a
// server of this host whose queue was full; attempts that began while a host had not answered
// ARP for a while, and failed together with the first one, as if they had been rejected; and
// idle times of clients that are their time limits for answers.
func (e *Engine) cover() {
	reject, given, dead := patternIndex("firewall-reject"), int(givenUp), patternIndex("path-dead")
	c := e.counted(acceptQueue...)
	for _, g := range e.groups {
		g.covered, g.also, g.alsoOf, g.raced = false, 0, nil, e.beside(g.key, "keepalive-race")
	}
	rejects, silent := map[netip.AddrPort]*group{}, map[netip.Addr]*group{}
	queueFull := func(g *group) bool {
		return c.n > 0 && near(c, g) && g.unconnected() && !g.key.passive && e.here(g) != ""
	}
	for _, k := range e.sorted() { // rejected ones come first
		g, to := e.groups[k], netip.AddrPortFrom(k.peer, k.port)
		switch int(k.pattern) {
		case reject:
			k.pattern = uint8(dead)
			own := e.groups[k]
			o := silent[k.peer]
			if own != nil && own.unreachable {
				o = own
			}
			if o == nil || g.detail != "EHOSTUNREACH" || g.first < o.first.Add(-slice) || g.last > o.last.Add(slice) {
				rejects[to] = cmp.Or(rejects[to], g)
				continue
			}
			if g.covered = true; o == own {
				o.also = g.count
			}
		case given:
			if o := rejects[to]; o != nil {
				g.covered, o.also, o.alsoOf = true, o.also+g.count, append(o.alsoOf, cmp.Or(k.process, "a process"))
			} else {
				g.covered = queueFull(g)
			}
		case dead:
			if g.unreachable {
				silent[k.peer] = cmp.Or(silent[k.peer], g)
			}
			g.covered = queueFull(g)
		default:
			g.covered = e.coverHalfCloses(g) || patterns[k.pattern].Name == "idle-timeout" && e.waited(g) || patterns[k.pattern].Title == lastUnansweredTitle && e.idleSays(g)
		}
	}
}

// givenUp is the pattern of attempts that were given up before a SYN was sent again.
var givenUp = uint8(slices.IndexFunc(patterns, func(p Pattern) bool { return p.locked }))

// unconnected: its connections were never established.
func (g *group) unconnected() bool {
	return g.key.kind == attempts
}

// here returns the process of this host that listens where the connections of g went.
func (e *Engine) here(g *group) string {
	if len(g.peers) != 1 || !g.peers[0].address.IsLoopback() {
		return ""
	}
	name := e.listens(g.spaces[0], g.key.port)
	for _, in := range g.spaces {
		if e.listens(in, g.key.port) != name {
			return ""
		}
	}
	return name
}

// sorted are the keys of the groups, always in the same order.
func (e *Engine) sorted() []key {
	return slices.SortedFunc(maps.Keys(e.groups), func(a, b key) int { return a.compare(&b) })
}

// acceptQueue are the counters of a full accept queue.
var acceptQueue = []string{"TcpExtListenOverflows"}

// overflows are full accept queues: the counters prove them, the clients' resets show
// which clients were affected.
func (e *Engine) overflows() (list []Finding) {
	c := e.counted(acceptQueue...)
	if c.n == 0 {
		return nil
	}
	i := patternIndex("accept-queue-overflow")
	p := &patterns[i]
	f := Finding{
		ID: p.Name, Harm: p.Harm, Confidence: model.Certain, First: c.told, Last: c.last, // the line before it may be minutes old
		Numbers:  map[string]int64{"overflows": whole(c.n), "drops": whole(e.counted("TcpExtListenDrops").n)},
		Evidence: []string{}, Advice: p.Advice, Filter: p.Filter, rank: i, identity: Identity{pattern: p.Name},
	}
	var unanswered uint64
	var port uint16 // of the listener
	servers := names{}
	for _, k := range e.sorted() {
		g := e.groups[k]
		if g.covered && g.unconnected() && e.here(g) != "" {
			unanswered += g.count
			servers[e.here(g)]++
			port = k.port
			f.Evidence = append(f.Evidence, g.evidence...)
		}
		if int(g.key.pattern) != i || !near(c, g) {
			continue
		}
		f.Count += g.count
		f.Evidence = append(f.Evidence, g.evidence...)
		f.Peer = cmp.Or(f.Peer, g.detailPeer.String())
		servers[e.listens(c.netns, g.key.port)]++
		f.First, f.Last = min(f.First, g.first), max(f.Last, g.last)
	}
	whose := "a listener"
	switch len(servers) {
	case 0:
		whose = e.perhaps(c.netns)
	case 1:
		f.Process = slices.Collect(maps.Keys(servers))[0]
	default:
		port = 0
	}
	f.Evidence = f.Evidence[:min(len(f.Evidence), maxEvidence)]
	f.Numbers["clients_reset"] = whole(f.Count)
	f.Title = fmt.Sprintf("The accept queue of %s was full: %s counted", cmp.Or(f.Process, whose), plural(c.n, "overflow", "overflows"))
	if port != 0 && f.Count == 0 {
		f.Title = strings.Replace(f.Title, " was full", fmt.Sprintf(" (port %d) was full", port), 1)
	}
	if len(servers) == 0 {
		f.Title += c.inNamespace()
	}
	if f.Count > 0 {
		f.Title += fmt.Sprintf(", %s to %s reset before the first byte", plural(f.Count, "connection", "connections"), f.Peer)
	}
	if unanswered > 0 {
		f.Numbers["never_connected"] = whole(unanswered)
		f.Title += fmt.Sprintf(", %s to connect had no answer", plural(unanswered, "attempt", "attempts"))
		f.Count += unanswered
	}
	f.Title += "."
	if k := knobsOf(f.Process); k.most != "" || k.backlog != "" || k.workers != "" {
		f.Advice += fmt.Sprintf(" %s sets them%s.", f.Process, bracket(joined(k.workers, k.most, k.backlog)))
	}
	e.complete(&f)    // of the connections that met it
	if f.Count == 0 { // no connection is known to have met it
		f.Count, f.Share, f.Filter = c.n, 0, ""
	}
	return append(list, f)
}

// overflowed: the burst m is of connections that a full queue of this host reset.
func (e *Engine) overflowed(m *moment) bool {
	c := e.counted(acceptQueue...)
	return c.n > 0 && c.around(m.first, m.last) && m.atFirst == m.n && e.addresses.has(m.peer)
}

// onlyChecks: the burst m is of health checks, as their rhythm shows.
func (e *Engine) onlyChecks(m *moment) bool {
	if m.n-m.weak >= crowd {
		return false
	}
	for k, g := range e.groups {
		if patterns[k.pattern].weak && !g.tooFew() && networkOf(k.peer) == m.network && (g.peers[0].regular() || g.count >= 10*uint64(m.n)) {
			return true
		}
	}
	return false
}

// joined are the settings that a program has.
func joined(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), ", ")
}

// listens returns the process that has accepted connections there, "" if none is known, or not the
// same in all namespaces.
func (e *Engine) listens(netns uint32, port uint16) string {
	if netns != anywhere {
		if server := e.services[service{netns, port}]; server != nil {
			return server.process
		}
		return ""
	}
	return e.onlyServer(func(s service) bool { return s.port == port })
}

// atSix reports whether connections by IPv6 were accepted there.
func (e *Engine) atSix(netns uint32, port uint16) bool {
	server := e.services[service{netns, port}]
	return server != nil && server.six
}

// onlyServer returns the process that has accepted connections at some places, "" if there
// are several.
func (e *Engine) onlyServer(there func(service) bool) (name string) {
	for s, server := range e.services {
		switch {
		case !there(s) || server.process == name:
		case name != "":
			return ""
		default:
			name = server.process
		}
	}
	return name
}

// perhaps is the listener that a counter of a namespace is of. No counter has a port: a listener
// that hangs ends nothing, and another server may be the only one that is known.
func (e *Engine) perhaps(netns uint32) string {
	if server := e.onlyServer(func(s service) bool { return s.netns == netns }); server != "" {
		return fmt.Sprintf("a listener (perhaps %s's)", server)
	}
	return "a listener"
}

func (e *Engine) massEnd(m *moment) Finding {
	i := patternIndex("mass-end")
	p := &patterns[i]
	f := Finding{
		ID: p.Name, Harm: p.Harm, Confidence: model.Inferred, Count: m.n, First: m.first, Last: m.last,
		Process: m.process, Peer: m.network.String(), Numbers: map[string]int64{"within_ns": int64(m.last.Sub(m.first))},
		Evidence: append([]string{}, m.ids...), Advice: p.Advice, rank: i,
		identity: Identity{pattern: p.Name, network: m.network, cause: m.cause, once: int64(m.first)},
		Filter:   fmt.Sprintf("cause == %q && cidr(network.peer.address, %q)", m.cause, m.network),
	}
	f.Title = fmt.Sprintf("%d connections with %s ended within %s (%v).", m.n, m.network, human.Duration(m.last.Sub(m.first)), m.cause)
	if m.peer.IsValid() && m.opened*4 >= m.n*3 { // a server ends some after a number of requests
		f.Harm = Low
		f.Title = strings.TrimSuffix(f.Title, ".") + "; one client had opened most of them at one moment, too."
		f.Advice = "A program that opens all its connections at once and ends them at once is done: a load test (wrk, ab, hey), a batch. If that is a load balancer, it was restarted."
	}
	e.complete(&f)
	return f
}

func patternIndex(name string) int {
	for i := range patterns {
		if patterns[i].Name == name {
			return i
		}
	}
	return 0
}
