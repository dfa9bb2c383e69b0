package findings

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// Open is a connection that is open, as far as findings need it.
type Open struct {
	ID          string
	Process     string
	PID         int
	Local, Peer netip.AddrPort
	State       model.State
	Silent      time.Duration // since a segment came last; 0 is unknown
}

const (
	// leakLeast is the time from which CLOSE_WAIT counts if there are many; leakAlone if
	// there is one.
	leakLeast = 10 * time.Second
	leakAlone = time.Minute
	leakMany  = 3
	// maxLeaks bounds the processes that are distinguished.
	maxLeaks = 64
)

// leak is what one process has left in CLOSE_WAIT.
type leak struct {
	process string
	pid     int
	count   uint64
	oldest  time.Duration
	peer    netip.AddrPort
	ids     []string
}

// See takes what is open now, instead of what was seen before.
func (e *Engine) See(now model.Time, open []Open) {
	e.leaks, e.seen, e.opens = e.leaks[:0], now, names{}
	for i := range open {
		o := &open[i]
		if _, known := e.opens[o.Process]; known || len(e.opens) < maxNames {
			e.opens[o.Process]++
		}
		if o.State == model.CloseWait && o.Silent >= leakLeast && o.PID != 0 {
			e.leak(o)
		}
	}
}

func (e *Engine) leak(o *Open) {
	i := slices.IndexFunc(e.leaks, func(l leak) bool { return l.pid == o.PID })
	if i < 0 {
		if len(e.leaks) >= maxLeaks {
			return
		}
		i = len(e.leaks)
		e.leaks = append(e.leaks, leak{process: short(o.Process), pid: o.PID})
	}
	l := &e.leaks[i]
	l.count++
	if o.Silent > l.oldest {
		l.oldest, l.peer = o.Silent, o.Peer
	}
	if len(l.ids) < maxEvidence {
		l.ids = append(l.ids, short(o.ID))
	}
}

// leaking are the findings about connections that are still open.
func (e *Engine) leaking() (list []Finding) {
	i := patternIndex("close-wait-leak")
	p := &patterns[i]
	for _, l := range e.leaks {
		if l.oldest < leakAlone && l.count < leakMany {
			continue
		}
		f := Finding{
			ID: p.Name, Harm: p.Harm, Confidence: model.Certain, Count: l.count, First: e.seen.Add(-l.oldest), Last: e.seen, Ongoing: true,
			Process: l.process, Peer: address(l.peer.Addr()), Numbers: map[string]int64{"close_wait_ns": int64(l.oldest), "open": whole(l.count)},
			Evidence: slices.Clone(l.ids), Advice: p.Advice, rank: i, identity: Identity{pattern: p.Name, process: l.process, once: int64(l.pid)},
			Title: fmt.Sprintf("%s has %s in CLOSE_WAIT, the oldest for %s (peer %v): the peer has closed, and it does not.",
				human.Process(l.process, l.pid), plural(l.count, "connection", "connections"), human.Duration(l.oldest), l.peer),
		}
		e.complete(&f)
		f.Ongoing, f.Share = true, 0
		list = append(list, f)
	}
	return list
}

// rolling counts by name what happened in the last minute or half of it.
type rolling struct {
	now, before names
	since       model.Time
}

const rollAfter = 30 * time.Second

func (r *rolling) add(name string, at model.Time) {
	if r.now == nil || at.Sub(r.since) >= rollAfter {
		r.before, r.now, r.since = r.now, names{}, at
	}
	if n, known := r.now[name]; known || len(r.now) < maxNames {
		r.now[name] = n + 1
	}
}

// most returns the name with the most.
func (r *rolling) most() (name string, n uint64) {
	for _, half := range []names{r.now, r.before} {
		for p := range half {
			if count := r.now[p] + r.before[p]; count > n || count == n && p < name {
				name, n = p, count
			}
		}
	}
	return name, n
}

// ports says who uses the ports: in TIME_WAIT, by the ends of the last minute, and open.
func (e *Engine) ports(f *Finding) string {
	name, n := e.timeWaits.most()
	if n == 0 {
		return ""
	}
	f.Numbers["time_wait"] = whole(n)
	text := fmt.Sprintf(" %s left %s in TIME_WAIT within the last minute", cmp.Or(name, "An unknown process"), plural(n, "connection", "connections"))
	if open := e.opens[name]; open > 0 {
		f.Numbers["open"] = whole(open)
		text += fmt.Sprintf(" and has %d open", open)
	}
	return text + "."
}
