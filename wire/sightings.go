package wire

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/flow"
)

// maxSightings bounds the connections that are kept: about 300 bytes each.
const maxSightings = 200_000

// Sightings is what a capture has of its connections, including those still open, for a
// comparison with another capture. The zero value is ready.
type Sightings struct {
	// Dropped are connections for which there was no room.
	Dropped uint64
	// Lossy: the capture lacks segments that were acknowledged, or says itself that it lost
	// packets.
	Lossy bool

	oneWay      map[hosts]bool // of those it has one direction only, of some connections
	all         []sighting
	first, last int64
	known       map[any]bool // tuples and fingerprints, once somebody has asked
}

// Has reports whether segments of a connection are in the capture, ended or not: by its
// fingerprint, if it is known, or by its addresses.
func (x *Sightings) Has(a, b netip.AddrPort, print model.Fingerprint) bool {
	if x.known == nil {
		x.known = map[any]bool{}
		for i := range x.all {
			s := &x.all[i]
			x.known[tupleOf(s.ends[0], s.ends[1])], x.known[s.print] = true, true
		}
	}
	return x.known[tupleOf(a, b)] || print != 0 && x.known[print]
}

// sighting is a connection in a capture.
type sighting struct {
	ends   [2]netip.AddrPort
	client int
	print  model.Fingerprint
	first  int64
	sides  [2]seen
}

// seen is what a capture has of one side. Times are of the first of its kind; 0 is none.
type seen struct {
	hasISN          bool
	isn             uint32
	began, fin, rst int64
	rsts            uint32
	again           [2]bool // its SYN, its FIN was captured more than once
	blind           bool    // it has a RST that does not fit
	has             bool    // any segment but a RST
	waits           bool    // it has not answered a SYN
	missed          bool    // and lacks some that were acknowledged
}

func (x *Sightings) add(c *flow.Conn) {
	if x.first == 0 || c.First < x.first {
		x.first = c.First
	}
	x.last = max(x.last, c.Last, c.Ended)
	if len(x.all) >= maxSightings {
		x.Dropped++
		return
	}
	s := sighting{client: c.Client, print: fingerprint(c), first: c.First}
	for i := range c.Sides {
		side := &c.Sides[i]
		s.ends[i] = c.Endpoint(i)
		s.sides[i] = seen{
			hasISN: side.HasISN, isn: side.ISN, began: side.Began, fin: side.FIN, again: [2]bool{side.SYNAgain, side.FINAgain},
			rst: side.RST.Time, rsts: side.RSTs, blind: side.Blind > 0,
			has: side.Seen, waits: c.Client == 1-i && c.Opened == 0, missed: side.Seen && side.Missed > 0,
		}
		x.Lossy = x.Lossy || s.sides[i].missed
	}
	x.all = append(x.all, s)
	if halved(c) {
		if x.oneWay == nil {
			x.oneWay = map[hosts]bool{}
		}
		x.oneWay[s.hosts()] = true
	}
}

// hosts are the addresses of the two ends of connections.
type hosts [2]netip.Addr

func (s *sighting) hosts() hosts { return hostsOf(s.ends[0], s.ends[1]) }

func hostsOf(a, b netip.AddrPort) hosts {
	t := tupleOf(a, b)
	return hosts{t[0].Addr(), t[1].Addr()}
}

// at returns the side whose endpoint is e in s, -1 if none is.
func (s *sighting) at(e netip.AddrPort) int {
	for i := range s.ends {
		if s.ends[i] == e {
			return i
		}
	}
	return -1
}

// tuple names a connection, whichever way its segments go.
type tuple [2]netip.AddrPort

func tupleOf(a, b netip.AddrPort) tuple {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return tuple{a, b}
}

// apart is how far apart the beginnings of a connection may be in two captures that do
// not both have its handshake, including the difference of the clocks.
const apart = int64(10 * time.Minute)

// match is a connection that both captures have: side i of a is side sides[i] of b.
type match struct {
	a, b  *sighting
	sides [2]int
}

// attempt is a client's SYN, as one end of the connection has it that translation left as
// it is.
type attempt struct {
	end netip.AddrPort
	isn uint32
}

func (s *sighting) attempts(yield func(attempt) bool) {
	if s.client < 0 || !s.sides[s.client].hasISN {
		return
	}
	for _, end := range s.ends {
		if !yield(attempt{end, s.sides[s.client].isn}) {
			return
		}
	}
}

// matches joins the connections of two captures: by the fingerprint, which address
// translation leaves as it is, by the SYN if one has no answer to it, else by addresses and
// time.
func matches(a, b *Sightings) (all []match) {
	prints, tuples := map[model.Fingerprint]*sighting{}, map[tuple][]*sighting{}
	attempts := map[attempt][]*sighting{}
	for i := range b.all {
		s := &b.all[i]
		if s.print != 0 {
			prints[s.print] = s
		}
		k := tupleOf(s.ends[0], s.ends[1])
		tuples[k] = append(tuples[k], s)
		for k := range s.attempts {
			attempts[k] = append(attempts[k], s)
		}
	}
	for i := range a.all {
		s := &a.all[i]
		o := prints[s.print]
		if s.print == 0 {
			o = nil
		}
		for k := range s.attempts {
			if o == nil {
				o = nearest(s, attempts[k])
			}
		}
		if o == nil {
			o = nearest(s, tuples[tupleOf(s.ends[0], s.ends[1])])
		}
		if o == nil {
			continue
		}
		m := match{a: s, b: o, sides: [2]int{0, 1}}
		if at := o.at(s.ends[0]); at == 1 || at < 0 && s.client >= 0 && o.client >= 0 && s.client != o.client {
			m.sides = [2]int{1, 0}
		}
		all = append(all, m)
	}
	return all
}

func nearest(s *sighting, list []*sighting) (best *sighting) {
	const most = 64 // a file made to collide must not cost more
	for _, o := range list[:min(len(list), most)] {
		d := max(o.first-s.first, s.first-o.first)
		if d > apart || s.print != 0 && o.print != 0 {
			continue
		}
		if best == nil || d < max(best.first-s.first, s.first-best.first) {
			best = o
		}
	}
	return best
}

// delays returns, for each side of a, how much later b has its segments, its clock's
// difference included; ok is false if no segment of both sides is in both captures. One
// that was sent again tells nothing: the captures may have different ones of it.
func (m *match) delays() (d [2]int64, ok bool) {
	for i := range d {
		x, y := &m.a.sides[i], &m.b.sides[m.sides[i]]
		switch {
		case x.hasISN && y.hasISN && x.isn == y.isn && !x.again[0] && !y.again[0]:
			d[i] = y.began - x.began
		case x.fin != 0 && y.fin != 0 && !x.again[1] && !y.again[1]:
			d[i] = y.fin - x.fin
		default:
			return d, false
		}
	}
	return d, true
}
