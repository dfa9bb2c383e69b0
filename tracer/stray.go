//go:build linux

package tracer

import (
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

const (
	// strayWindow is the time in which the resets for one connection make one record.
	strayWindow = time.Second
	// strayMax bounds how many connections are distinguished in that time; the kernel's
	// programs have a bound of their own (STRAYS, bpf/maps.h).
	strayMax = 256
)

// strays gathers resets for connections that this host does not have, by
// connection, until they are reported.
type strays struct {
	byTuple map[tuple]*strayResets
	order   []*strayResets // by the first
	more    uint64         // beyond the bounds
	since   ktime          // when more began
}

type strayResets struct {
	tuple tuple
	first bpf.TraceLater
	last  ktime
	count uint64
}

func (s *strays) add(l *bpf.TraceLater) {
	n := tupleOf(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns)
	r := s.byTuple[n]
	switch {
	case r != nil:
		r.count++
		r.last = max(r.last, ktime(l.Time))
	case len(s.order) >= strayMax:
		s.beyond(1, ktime(l.Time))
	default:
		r = &strayResets{tuple: n, first: *l, last: ktime(l.Time), count: 1}
		s.byTuple[n] = r
		s.order = append(s.order, r)
	}
}

// beyond counts n more, of which nothing else is known.
func (s *strays) beyond(n uint64, at ktime) {
	if n > 0 && s.more == 0 {
		s.since = at
	}
	s.more += n
}

// reportStrays delivers what was gathered, once strayWindow has passed by then.
func (a *assembler) reportStrays(until ktime, out emit) bool {
	s := &a.strays
	until = until.add(-strayWindow)
	for len(s.order) > 0 && ktime(s.order[0].first.Time) <= until {
		r := s.order[0]
		s.order = s.order[1:]
		delete(s.byTuple, r.tuple)
		if !a.stray(r, out) {
			return false
		}
	}
	if s.more == 0 || s.since > until {
		return true
	}
	n := s.more
	s.more = 0
	if a.following {
		return true
	}
	f := a.next(model.KindStray)
	f.Time = a.clock.time(s.since)
	f.TCP.RST.Sent = model.Some(true)
	a.event.Stray = model.Stray{Count: n, First: f.Time, Why: model.StrayMore}
	return out(&a.event)
}

// stray reports the resets for one connection, and whose it was.
func (a *assembler) stray(r *strayResets, out emit) bool {
	l := &r.first
	was := a.recent.find(r.tuple, ktime(l.Time))
	if was == nil && a.following {
		return true // its process is not followed
	}
	f := a.next(model.KindStray)
	f.Time = a.clock.time(r.last)
	f.Network = network(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns)
	f.TCP.RST = model.RST{Sent: model.Some(true), Reason: a.reasons[l.Reason]}
	f.TCP.Loopback = f.Network.Loopback()
	s := &a.event.Stray
	*s = model.Stray{Count: r.count, First: a.clock.time(ktime(l.Time)), Hit: a.hit(r)}
	switch {
	case l.Listening == 0 && l.Segment&(tcpSYN|tcpACK) == tcpSYN:
		s.Why = model.StrayNoListener
	case l.Unsure != 0:
		// Perhaps of a connection whose end was only counted.
	case was != nil:
		s.Why, s.Ended = model.StrayEnded, a.clock.time(ktime(was.end.Ended))
		f.ID = a.ids.of(was.id)
		f.TCP.Role = role(&was.end)
		a.process(&f.Process, &was.end)
		a.closer(&f.Closer, &was.end)
		a.describe(f, &was.end)
	default:
		s.Why = model.StrayNotOurs
		s.LookedBack = model.Some(min(recentFor, time.Duration(ktime(l.Time)-max(a.began, a.recent.oldest()))))
	}
	return out(&a.event)
}

const (
	// hitMax bounds how many of the latest ends by a reset are looked at for one that was hit.
	hitMax = 4096
	// hitLate is how many in a row have to be too old: an end may come late.
	hitLate = 64
)

// hit returns the id of the end on this host that the resets ended, or "". It may be in
// another network namespace, as of areMates; in one that anybody can make only if no other fits.
func (a *assembler) hit(r *strayResets) string {
	wanted, first := anywhere(r.tuple.reversed()), ktime(r.first.Time)
	t := &a.recent
	old, made, several := 0, "", false // by anybody
	for back := uint32(1); back <= hitMax && old < hitLate; back++ {
		e := t.at(t.resets[(t.reset-back)%hitMax])
		if e == nil {
			break
		}
		if ktime(e.end.Ended).add(hold) < first {
			old++
			continue
		}
		old = 0
		if anywhere(endTuple(&e.end)) != wanted || ktime(e.end.Ended) > r.last.add(hold) {
			continue
		}
		switch {
		case e.end.Netns == r.tuple.netns:
			return a.ids.of(e.id)
		case loopback(&e.end) || r.first.Nested != 0:
		case !has(&e.end, strange):
			return a.ids.of(e.id)
		case made == "":
			made = a.ids.of(e.id)
		default:
			several = true
		}
	}
	if several {
		return ""
	}
	return made
}

// Flags of the TCP header, RFC 9293, figure 1.
const (
	tcpSYN = 0x02
	tcpACK = 0x10
)
