package findings

import (
	"cmp"
	"slices"

	"github.com/closetrace/closetrace/model"
)

// judgeHalf judges the older half of what waits, and x: more ends have come within a
// quarter of a second than are kept. Judging only x would look at all that wait for
// each one that comes.
func (e *Engine) judgeHalf(x *end) {
	slices.SortFunc(e.waiting, inTime)
	e.judgeUntil(max(x.time, e.waiting[len(e.waiting)/2].time))
}

// inTime is the order in which ends are judged, whatever the order in which they came.
func inTime(a, b *end) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.id, b.id))
}

// judgeUntil judges what ended until then, in the order of time.
func (e *Engine) judgeUntil(until model.Time) {
	e.judged = min(until, e.newest)
	rest := e.waiting[:0]
	e.ready = e.ready[:0]
	e.walked += uint64(len(e.waiting))
	for _, x := range e.waiting {
		switch {
		case x.judged:
		case x.time <= until:
			e.ready = append(e.ready, x)
		default:
			rest = append(rest, x)
		}
	}
	clear(e.waiting[len(rest):])
	e.waiting = rest
	slices.SortFunc(e.ready, inTime)
	for _, x := range e.ready {
		e.judge(x)
	}
}

// judge takes the connection of x, with the other end if it is known. The second end of a
// connection that was already taken does not count.
func (e *Engine) judge(x *end) {
	x.judged = true
	e.know(x)
	o := x.other
	if !x.counted && (o == nil || !o.counted) {
		e.total++
	}
	x.counted = true
	if o != nil && o.explained {
		x.explained = true
	}
	if x.explained {
		return
	}
	for i := range patterns {
		p := &patterns[i]
		switch {
		case p.match == nil, x.amended && !p.partial, !p.causes.has(x.cause) && (o == nil || !p.causes.has(o.cause)):
		case e.take(p, i, x, o), o != nil && !p.partial && e.take(p, i, o, x):
			if x.weak = p.weak; x.weak && x.cause == model.CausePeerReset && x.exchanged() {
				e.crowd(x)
			}
			return
		}
	}
	e.crowd(x)
}

// crowd counts x in a moment, once for both ends. What a client of this host has ended itself is
// nobody's incident: a load test that is done ends all its connections at once.
func (e *Engine) crowd(x *end) {
	if o := x.other; !x.amended && !x.crowded && !x.doneWith() && (o == nil || !o.crowded && !o.doneWith()) {
		x.crowded = e.moments.add(x)
	}
}

// doneWith: a client closed this end, or exited and was not killed.
func (e *end) doneWith() bool {
	return !e.passive() && (leftBySelf(e) || e.initiator == model.InitiatorLocal && e.call == model.CallExit && !violent(model.SignalName(e.signal)))
}

// take counts x, whose other end is o, for pattern p if it has it.
func (e *Engine) take(p *Pattern, i int, x, o *end) bool {
	m := &e.match // one for all: conditions take pointers, and would move each to the heap
	*m = match{engine: e, end: x, other: o}
	if !p.match(m) {
		return false
	}
	k := key{pattern: uint8(i), process: x.process, port: x.port(), passive: x.passive(), kind: m.kind}
	if p.byPeer {
		k.peer = x.peer.Addr()
	}
	g := e.group(k)
	if g == nil {
		return !p.partial
	}
	g.add(m)
	if p.partial {
		return false // other patterns may say more about it
	}
	x.explained = true
	if o != nil {
		o.explained = true
	}
	return true
}
