package findings

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// bursts are the moments at which one process closed connections, in slices of time. It is
// fed as ends come, so that all of a moment are known when the first of them is judged.
type bursts [512]burst

type burst struct {
	pid         int
	slice       model.Time
	n           uint64
	least, most time.Duration // how long they had been idle
}

// closing is when the end began to end.
func (e *end) closing() model.Time { return cmp.Or(e.firstFIN, e.closeTime, e.time) }

// byServer: a server closed a connection that it had kept alive, and on which it had answered: what
// still waits for its first request has another timeout.
func (e *end) byServer() bool {
	return e.passive() && e.initiator == model.InitiatorLocal && e.pid != 0 && e.idle >= justNow && e.spoke() &&
		(e.call == model.CallClose || e.call == model.CallShutdown)
}

func (b *bursts) add(x *end) {
	if x.byServer() {
		b.count(x.pid, x.closing(), x.idle)
	}
}

func (b *bursts) count(pid int, closing model.Time, idle time.Duration) {
	at := closing / model.Time(slice)
	c := b.cell(pid, at)
	if c.pid != pid || c.slice != at {
		if c.n >= few && at-c.slice < 100 {
			return // what was a moment is asked for when the requests that came too late are known
		}
		*c = burst{pid: pid, slice: at, least: idle}
	}
	c.n++
	c.least, c.most = min(c.least, idle), max(c.most, idle)
}

func (b *bursts) cell(pid int, at model.Time) *burst {
	return &b[(uint64(pid)*31+uint64(at))%uint64(len(b))]
}

// few is how many make a moment.
const few = 3

// has reports whether x was closed together with others of its process that had been idle for
// other times: no timeout does that, which also goes for a time shorter than any timeout.
func (b *bursts) has(x *end) bool {
	if !x.byServer() {
		return false
	}
	m := b.around(x, 1)
	if knobsOf(x.process).exact && m.most-m.least >= 250*time.Millisecond {
		return m.n >= few
	}
	if m.most < idleLeast && b.around(x, second).n >= 2*m.n {
		return false // it closes some all the time
	}
	return m.n >= few && m.most >= 2*m.least && (m.most < idleLeast || m.most-m.least >= time.Second)
}

// second is how many slices it has.
const second = int64(time.Second / slice)

// around is what the process of x closed in the slice of x, so many before it, and the next one.
func (b *bursts) around(x *end, before int64) (m burst) {
	m.least, m.most = x.idle, x.idle
	for i := -before; i <= 1; i++ {
		at := x.closing()/model.Time(slice) + model.Time(i)
		if c := b.cell(x.pid, at); c.pid == x.pid && c.slice == at {
			m.n += c.n
			m.least, m.most = min(m.least, c.least), max(m.most, c.most)
		}
	}
	return m
}

// hasten: a server that closes others as well after a time as short as that of x, which is less than
// timeouts usually are: it is short of connections.
func (b *bursts) hasten(x *end) bool {
	if !x.byServer() || x.idle >= idleLeast || !x.afterClose() {
		return false
	}
	m := b.around(x, second)
	return m.n >= few && m.most < 2*m.least
}

// partings are the moments at which one server elsewhere closed connections of clients here.
type partings struct{ bursts }

// partingOf stands for a server; two that have one number only make a moment look larger.
func partingOf(address netip.Addr, port uint16) int {
	n := int(port)
	for _, b := range address.As16() {
		n = n*31&(1<<30-1) + int(b)
	}
	return n
}

func (p *partings) add(x *end) {
	if !x.passive() && x.initiator == model.InitiatorPeer && x.firstFIN != 0 {
		p.count(partingOf(x.peer.Addr(), x.peer.Port()), x.firstFIN, x.idle)
	}
}

// hasten is that of a server elsewhere.
func (p *partings) hasten(x *end) bool {
	if x.passive() || x.firstFIN == 0 || x.idle < justNow || !x.afterClose() {
		return false
	}
	m := p.around(&end{pid: partingOf(x.peer.Addr(), x.peer.Port()), firstFIN: x.firstFIN, idle: x.idle}, second)
	return m.n >= few && m.least >= justNow && m.most < 2*m.least
}

// partedAtOnce reports whether the server of g closed all of g at one moment, and others with them if g has
// fewer than a moment.
func (e *Engine) partedAtOnce(g *group) bool {
	if g.atOnce() {
		return true
	}
	if g.key.passive || len(g.peers) != 1 || g.closed[1].Sub(g.closed[0]) >= slice {
		return false
	}
	m := e.partings.around(&end{pid: partingOf(g.peers[0].address, g.key.port), firstFIN: g.closed[0]}, 1)
	return m.n >= few
}

// server is who listens at a port, and the processes that accepted there.
type server struct {
	process string
	six     bool // it has accepted at an address of IPv6
	pids    [8]tenure
}

// tenure is when the connections began that a process had accepted.
type tenure struct {
	pid         int
	first, last model.Time
}

func (s *server) add(x *end) {
	s.six = s.six || x.local.Addr().Is6() && !x.local.Addr().Is4In6()
	if x.pid == 0 || x.began == 0 {
		return
	}
	oldest := 0
	for i := range s.pids {
		t := &s.pids[i]
		if t.pid == x.pid {
			t.first, t.last = min(t.first, x.began), max(t.last, x.began)
			return
		}
		if t.last < s.pids[oldest].last {
			oldest = i
		}
	}
	s.pids[oldest] = tenure{x.pid, x.began, x.began}
}

// goesOn reports whether a process of the group accepted again after it had closed the first one: it
// has not ended.
func (e *Engine) goesOn(g *group) bool {
	for at, s := range e.services {
		if at.port != g.key.port || s.process != g.key.process {
			continue
		}
		for _, t := range s.pids {
			if i := slices.Index(g.pids, t.pid); i >= 0 && t.pid != 0 && t.last.Sub(g.left[i]) > slice {
				return true
			}
		}
	}
	return false
}

// replaced reports whether the processes of a group accepted nothing more after a moment, and
// one that had accepted nothing before did. Where each connection has a process of its own that is
// always so, and connections that had been idle equally long have met a timeout.
func (e *Engine) replaced(g *group, at model.Time) (another bool) {
	if g.ofOneConnection() && g.idle.max-g.idle.min <= g.idle.min/10 {
		return false
	}
	for at2, s := range e.services {
		if at2.port != g.key.port || s.process != g.key.process {
			continue
		}
		for _, t := range s.pids {
			switch {
			case t.pid == 0:
			case slices.Contains(g.pids, t.pid):
				if t.last > at {
					return false
				}
			case t.first > at:
				another = true
			}
		}
	}
	return another
}
