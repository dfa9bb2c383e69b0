package findings

import (
	"fmt"
	"net/netip"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// Servers elsewhere that turn clients of this host away, of which only the clients' ends are known.

// awayFilter is what sentAway takes.
var awayFilter = fmt.Sprintf(`tcp.role == "active" && initiator == "peer" && duration_ns < %d && (cause == "fin" && tcp.bytes.received == 0 && tcp.bytes.sent == 0 || cause == "peer-reset" && tcp.bytes.received <= %d && (tcp.bytes.received == 0 || tcp.bytes.sent == 0 || tcp.bytes.unacked == 0))`, doorTime, messageMost)

// sentAway: the peer closed or reset the connection soon after its begin. What proves that it took nothing
// is a reset without any answer, or a FIN before anything was acknowledged; the rest, the echoes, only count
// beside that: a server that answers by SO_LINGER {1,0}, or a client that says nothing, look so, too.
func sentAway(m *match) bool {
	x := m.end
	if x.passive() || m.other != nil || x.later || !x.established || x.initiator != model.InitiatorPeer || x.duration < 0 || x.duration >= doorTime ||
		x.received < 0 || x.received > messageMost || x.sent < 0 || x.told != 0 || mute(x) ||
		m.engine.addresses.has(x.peer.Addr()) {
		return false
	}
	m.bytes, m.inferred = x.received, true
	if x.cause == model.CauseFIN {
		m.echo = true
		return x.received == 0 && x.sent == 0
	}
	if x.rule == "reset-here" || x.stray || x.between || x.received > 0 && x.sent > 0 && x.unacked > 0 {
		return false
	}
	m.echo = x.received > 0 && (x.sent > 0 || x.unacked <= 0 || !x.finIn) || x.received == 0 && x.sent == 0 && x.unacked <= 0
	return true
}

// dials are how many connections a process has opened to one port of one peer.
type dials map[key]uint64

// maxDials bounds them.
const maxDials = 1024

func dialOf(process string, peer netip.Addr, port uint16) key {
	return key{process: process, peer: peer, port: port}
}

func (d dials) add(x *end) {
	if x.passive() || !x.established {
		return
	}
	k := dialOf(x.process, x.peer.Addr(), x.peer.Port())
	if n, known := d[k]; known || len(d) < maxDials {
		d[k] = n + 1
	}
}

func saySentAway(e *Engine, g *group, f *Finding) bool {
	all, proven := e.dials[dialOf(g.key.process, g.key.peer, g.key.port)], g.count-g.echoes
	if proven < few || proven*10 < g.count || all == 0 || g.count*2 < all+e.ordinary { // what was only counted may be its good ones
		return false
	}
	f.Numbers["message_bytes"], f.Numbers["opened"] = whole(g.bytes), whole(all)
	f.Title = fmt.Sprintf("%s (port %d) turns %s away: it closed or reset %d of %s within %s", g.peerName(), g.key.port, g.program(), g.count,
		plural(all, "connection", "connections"), human.Duration(doorTime))
	if g.bytes > 0 {
		f.Title += fmt.Sprintf(", after a message of %s on average", human.Bytes(g.bytes/max(g.count, 1)))
	}
	f.Title += ", and took no request."
	return true
}
