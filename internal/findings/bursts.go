package findings

import (
	"cmp"
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

// byServer: a server closed a connection that it had kept alive.
func (e *end) byServer() bool {
	return e.passive() && e.initiator == model.InitiatorLocal && e.pid != 0 && e.idle >= justNow &&
		(e.call == model.CallClose || e.call == model.CallShutdown)
}

func (b *bursts) add(x *end) {
	if !x.byServer() {
		return
	}
	at := x.closing() / model.Time(slice)
	c := b.cell(x.pid, at)
	if c.pid != x.pid || c.slice != at {
		if c.n >= few && at-c.slice < 100 {
			return // what was a moment is asked for when the requests that came too late are known
		}
		*c = burst{pid: x.pid, slice: at, least: x.idle}
	}
	c.n++
	c.least, c.most = min(c.least, x.idle), max(c.most, x.idle)
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
	var n uint64
	least, most := x.idle, x.idle
	for at := range model.Time(3) {
		at += x.closing()/model.Time(slice) - 1
		if c := b.cell(x.pid, at); c.pid == x.pid && c.slice == at {
			n += c.n
			least, most = min(least, c.least), max(most, c.most)
		}
	}
	if knobsOf(x.process).exact && most-least >= 250*time.Millisecond {
		return n >= few
	}
	return n >= few && (most < idleLeast || most-least >= time.Second && most >= 2*least)
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
