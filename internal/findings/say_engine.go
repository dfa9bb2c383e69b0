package findings

import (
	"cmp"
	"fmt"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// overflows are full accept queues: the counters prove them, the clients' resets show
// which clients were affected.
func (e *Engine) overflows() (list []Finding) {
	c := e.counted("TcpExtListenOverflows", "TcpExtTCPReqQFullDrop")
	if c.n == 0 {
		return nil
	}
	i := patternIndex("accept-queue-overflow")
	p := &patterns[i]
	f := Finding{
		ID: p.Name, Harm: p.Harm, Confidence: model.Certain, First: c.first, Last: c.last,
		Numbers:  map[string]int64{"overflows": whole(c.n), "drops": whole(e.counted("TcpExtListenDrops").n)},
		Evidence: []string{}, Advice: p.Advice, Filter: p.Filter, rank: i,
	}
	for _, g := range e.groups {
		if int(g.key.pattern) != i || !near(c, g) {
			continue
		}
		f.Count += g.count
		f.Evidence = append(f.Evidence, g.evidence...)
		f.Peer = cmp.Or(f.Peer, g.detailPeer.String())
		f.Process = cmp.Or(e.listens(g.key.port), f.Process)
		f.First, f.Last = min(f.First, g.first), max(f.Last, g.last)
	}
	if f.Process == "" {
		f.Process = e.onlyServer(c.netns)
	}
	f.Evidence = f.Evidence[:min(len(f.Evidence), maxEvidence)]
	f.Numbers["clients_reset"] = whole(f.Count)
	f.Title = fmt.Sprintf("The accept queue of %s was full: %s counted", cmp.Or(f.Process, "a listener"), plural(c.n, "overflow", "overflows"))
	if f.Count > 0 {
		f.Title += fmt.Sprintf(", %s to %s reset before the first byte", plural(f.Count, "connection", "connections"), f.Peer)
	}
	f.Title += "."
	e.complete(&f) // of the connections that met it
	if f.Count == 0 {
		f.Share = 0
	}
	f.Count = max(f.Count, c.n)
	return append(list, f)
}

// listens returns the process that has accepted connections on a port, "" if none is known.
func (e *Engine) listens(port uint16) (name string) {
	for s, server := range e.services {
		if s.port == port && (name == "" || server.process < name) {
			name = server.process
		}
	}
	return name
}

// onlyServer returns the process that has accepted connections in a namespace, "" if there
// are several.
func (e *Engine) onlyServer(netns uint32) (name string) {
	for s, server := range e.services {
		switch {
		case s.netns != netns || server.process == name:
		case name != "":
			return ""
		default:
			name = server.process
		}
	}
	return name
}

func (e *Engine) massEnd(m *moment) Finding {
	i := patternIndex("mass-end")
	p := &patterns[i]
	f := Finding{
		ID: p.Name, Harm: p.Harm, Confidence: model.Inferred, Count: m.n, First: m.first, Last: m.last,
		Process: m.process, Peer: m.network.String(), Numbers: map[string]int64{"within_ns": int64(m.last.Sub(m.first))},
		Evidence: append([]string{}, m.ids...), Advice: p.Advice, rank: i,
		Filter: fmt.Sprintf("cause == %q && cidr(network.peer.address, %q)", m.cause, m.network),
	}
	f.Title = fmt.Sprintf("%d connections with %s ended within %s (%v).", m.n, m.network, human.Duration(m.last.Sub(m.first)), m.cause)
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
