package wire

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Compared is what two captures, from both sides of a device or of a network, say about
// the connections that both have.
type Compared struct {
	// Ahead is how far the clock of the second capture is ahead of the first one's, Way
	// how long segments take from one to the other, both from segments that both have, of
	// Shared connections.
	Ahead, Way time.Duration
	// Both connections are in both captures; Shared of them have segments of either
	// side in both.
	Both, Shared int

	// How much later the second capture has a segment: the least of those that pass the
	// first capture first, the most of the others.
	least, most int64

	names  [2]string
	lossy  [2]bool
	oneWay [2]map[hosts]bool
	spans  [2][2]int64
	said   map[connection][]Difference
}

// connection names a connection of the first capture: others may have its tuple.
type connection struct {
	ends  tuple
	print model.Fingerprint
	first int64 // if it has no fingerprint, when it began, if the capture shows that
}

func (s *sighting) connection() connection {
	c := connection{ends: tupleOf(s.ends[0], s.ends[1]), print: s.print}
	if s.print == 0 && s.client >= 0 {
		c.first = s.first
	}
	return c
}

// Difference is a RST on which the two captures differ.
type Difference struct {
	// From is the end in whose name it was sent, To the end that it was for.
	From, To netip.AddrPort
	// Text says where it was, and what follows from that.
	Text string
	// Elsewhere: it was not sent by From, or did not arrive, unless a capture lost it.
	Elsewhere bool
	of        connection
}

// Compare compares two captures. The names are for texts.
func Compare(a, b *Sightings, names [2]string) *Compared {
	c := &Compared{
		names: names, lossy: [2]bool{a.Lossy, b.Lossy}, oneWay: [2]map[hosts]bool{a.oneWay, b.oneWay}, said: map[connection][]Difference{},
		spans: [2][2]int64{{a.first, a.last}, {b.first, b.last}},
	}
	all := matches(a, b)
	c.Both = len(all)
	c.clock(all)
	for i := range all {
		c.resets(&all[i])
	}
	c.stopped(a, all)
	return c
}

// stopped finds attempts of the first capture that were answered with RST and never came
// to the second, though other connections of the two hosts did. Where translation leaves
// neither end of those as it is, it is not known how the attempt would look there; and where
// others of them, or one direction of others, are not in the second capture either, they go
// another way.
func (c *Compared) stopped(a *Sightings, all []match) {
	had, met, strange := map[*sighting]bool{}, map[hosts]bool{}, map[hosts]bool{}
	for _, m := range all {
		had[m.a] = true
		both := m.a.hosts()
		met[both] = true
		strange[both] = strange[both] || c.oneWay[1][m.b.hosts()] || m.b.at(m.a.ends[0]) < 0 && m.b.at(m.a.ends[1]) < 0
	}
	for i := range a.all {
		if s := &a.all[i]; !had[s] && s.print != 0 && c.covers(1, s.first+int64(c.Ahead)) {
			strange[s.hosts()] = true
		}
	}
	for i := range a.all {
		s := &a.all[i]
		both := s.hosts()
		if had[s] || s.client < 0 || !met[both] || strange[both] || !c.covers(1, s.first+int64(c.Ahead)) {
			continue
		}
		from, to := s.ends[1-s.client], s.ends[s.client]
		if x := &s.sides[1-s.client]; x.rst == 0 || x.began != 0 {
			continue
		}
		c.add(Difference{of: s.connection(), From: from, To: to, Elsewhere: true, Text: fmt.Sprintf(
			"the SYN to %v is in %s and not in %s: something between the two kept it, and answered with RST", from, c.names[0], c.names[1]) + c.orLost(1, s.first+int64(c.Ahead))})
	}
}

// clock estimates how far the clocks are apart: a segment and one that goes the other
// way take as long, most of the time.
func (c *Compared) clock(all []match) {
	var ahead, way []int64
	for i := range all {
		if d, ok := all[i].delays(); ok {
			ahead = append(ahead, (d[0]+d[1])/2)
			way = append(way, max(d[0]-d[1], d[1]-d[0])/2)
		}
	}
	if c.Shared = len(ahead); c.Shared == 0 {
		return
	}
	slices.Sort(ahead)
	slices.Sort(way)
	c.Ahead, c.Way = time.Duration(ahead[len(ahead)/2]), time.Duration(way[len(way)/2])
	c.least, c.most = math.MaxInt64, math.MinInt64
	for i := range all {
		if d, ok := all[i].delays(); ok && d[0] != d[1] && !c.unlikely((d[0]-d[1])/2) {
			c.least, c.most = min(c.least, max(d[0], d[1])), max(c.most, min(d[0], d[1]))
		}
	}
}

// passedFirst returns the capture, plus 1, that a segment passed first which the second one has
// so much later; 0 if that fits segments of neither direction, or of both. The first one of a
// connection takes longer than a RST: it waits for routes and rules.
func (c *Compared) passedFirst(later int64) int {
	switch {
	case later >= c.least && later > c.most:
		return 1
	case later <= c.most && later < c.least:
		return 2
	default:
		return 0
	}
}

// unlikely is a time beyond what segments take, beyond that of all: it is one between two
// transmissions (Linux sends again after 200 ms at the earliest, a SYN after a second).
func (c *Compared) unlikely(way int64) bool {
	return max(way, -way) > 10*int64(c.Way)+int64(50*time.Millisecond)
}

// resets compares the RSTs of a connection.
func (c *Compared) resets(m *match) {
	delays, known := m.delays()
	known = known && !c.unlikely((delays[0]-delays[1])/2)
	for i := range m.sides {
		x, y := &m.a.sides[i], &m.b.sides[m.sides[i]]
		near := 0 // the capture that the sender's other segments pass first, plus 1
		switch {
		case !known || delays[0] == delays[1]:
		case delays[i] > delays[1-i]:
			near = 1
		default:
			near = 2
		}
		d := Difference{of: m.a.connection(), From: m.a.ends[i], To: m.a.ends[1-i]}
		switch {
		case x.rst == 0 && y.rst == 0:
			continue
		case x.rst != 0 && y.rst != 0:
			later := y.rst - x.rst
			at := c.passedFirst(later)
			if near == 0 || at == 0 {
				continue
			}
			same, like := at == near, later > (delays[0]+delays[1])/2 == (near == 1)
			// It is like its sender's other segments of this connection, or each has another one of several RSTs.
			if !same && (like || x.rsts != y.rsts || c.unlikely(later-delays[1-i])) {
				continue
			}
			d.Text, d.Elsewhere = c.inBoth(d.From, near, same), !same
		case x.rst != 0 && c.hears(1, m.b, y) && !y.blind && c.covers(1, x.rst+int64(c.Ahead)):
			d.Text, d.Elsewhere = c.inOne(m, i, 0, near)
		case y.rst != 0 && c.hears(0, m.a, x) && !x.blind && c.covers(0, y.rst-int64(c.Ahead)):
			d.Text, d.Elsewhere = c.inOne(m, i, 1, near)
		default:
			continue
		}
		c.add(d)
	}
}

// hears reports whether a capture would have a RST of a side of one of its connections.
func (c *Compared) hears(capture int, of *sighting, side *seen) bool {
	return side.has || side.waits && !c.oneWay[capture][of.hosts()]
}

// covers reports whether a capture covers a time of its clock.
func (c *Compared) covers(capture int, at int64) bool {
	const tail = int64(time.Second)
	return c.spans[capture][0] <= at && at <= c.spans[capture][1]+tail
}

func (c *Compared) inBoth(from netip.AddrPort, near int, same bool) string {
	first := c.names[near-1]
	if same {
		return fmt.Sprintf("the RST from %v passed %s first, as its other segments did", from, first)
	}
	return fmt.Sprintf("the RST from %v passed %s first, its other segments pass %s first: it was not sent by %v, but from the other side",
		from, c.names[2-near], first, from.Addr())
}

// inOne describes a RST that is only in one of the two captures. A capture that lacks other
// segments of the connection may lack this one.
func (c *Compared) inOne(m *match, side, capture, near int) (text string, elsewhere bool) {
	from, at := m.a.ends[side], m.a.sides[side].rst+int64(c.Ahead)
	if capture == 1 {
		at = m.b.sides[m.sides[side]].rst - int64(c.Ahead)
	}
	text = fmt.Sprintf("the RST from %v is in %s and not in %s", from, c.names[capture], c.names[1-capture])
	if c.lacks(m, 1-capture) {
		return text + ", which lost other segments of this connection", false
	}
	switch near {
	case 0:
		text += ": it was made or dropped between the two"
	case capture + 1:
		text += ", where its other segments come later: it was dropped between the two"
	default:
		text += fmt.Sprintf(", which its other segments pass first: %v never sent it, something between the two did", from.Addr())
	}
	return text + c.orLost(1-capture, at), true
}

// lacks reports whether a capture lacks segments of a connection that it should have.
func (c *Compared) lacks(m *match, capture int) bool {
	for i := range m.sides {
		has, other := &m.a.sides[i], &m.b.sides[m.sides[i]]
		ahead := int64(-c.Ahead)
		if capture == 1 {
			has, other, ahead = other, has, int64(c.Ahead)
		}
		if has.missed || other.hasISN && !has.hasISN && !has.waits && c.covers(capture, other.began+ahead) {
			return true
		}
	}
	return false
}

// orLost: a capture whose program was too slow, or that had ended, looks as if something had
// kept the segment; at is when that would have come, by its clock.
func (c *Compared) orLost(capture int, at int64) string {
	text := ", or " + c.names[capture]
	if at > c.spans[capture][1] {
		text += " had ended or"
	}
	if text += " lost it"; c.lossy[capture] {
		text += ", as it did others"
	}
	return text
}

func (c *Compared) add(d Difference) { c.said[d.of] = append(c.said[d.of], d) }

// Of returns the differences of a connection of the first capture, one of whose ends is t.
func (c *Compared) Of(t *model.Teardown) []Difference {
	k := connection{ends: tupleOf(t.Network.Local.AddrPort(), t.Network.Peer.AddrPort()), print: t.TCP.Fingerprint}
	if k.print == 0 {
		k.first = int64(t.StartTime)
	}
	return c.said[k]
}

// Each yields all differences, in the order of addresses.
func (c *Compared) Each(yield func(Difference) bool) {
	keys := slices.SortedFunc(maps.Keys(c.said), func(a, b connection) int {
		return cmp.Or(a.ends[0].Compare(b.ends[0]), a.ends[1].Compare(b.ends[1]), cmp.Compare(a.first, b.first), cmp.Compare(a.print, b.print))
	})
	for _, k := range keys {
		for _, d := range c.said[k] {
			if !yield(d) {
				return
			}
		}
	}
}
