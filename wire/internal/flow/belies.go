package flow

import "github.com/closetrace/closetrace/wire/internal/packet"

// belies reports whether a segment of side i shows that what was reported of a RST is not all:
// the other side's did not arrive, or its own was made by something else. Late says whose end is
// to be reported again.
func (c *Conn) belies(seg *packet.Segment, i int, now int64) bool {
	s, other := &c.Sides[i], &c.Sides[1-i]
	if c.How != WasReset {
		return false
	}
	if seg.Has(packet.RST) {
		return c.resetAfterAll(seg, i, now)
	}
	unheard := other.RST.Time != 0 && !other.RST.Unheard && other.RST.Place == seg.Place
	outlived := s.goesOn(seg)
	if !unheard && !outlived || s.copy(seg, other, now) {
		return false
	}
	news := outlived && !s.Unlike(&s.RST).Between() // else it was known to be of something else
	other.RST.Unheard = other.RST.Unheard || unheard
	s.RST.Outlived = s.RST.Outlived || outlived
	if c.Late = i + 1; news {
		c.Late = 0
	}
	return unheard || news
}

// goesOn: seg has more of s than it had sent before its RST.
func (s *Side) goesOn(seg *packet.Segment) bool {
	r, end := &s.RST, seg.Seq+seg.Space()
	return r.Time != 0 && !r.Outlived && r.Place == seg.Place && seg.Space() > 0 && after(end, r.seq) && after(end, s.next)
}

// resetAfterAll: side i, which had got a RST that the other side never sent, answers what
// that still sends.
func (c *Conn) resetAfterAll(seg *packet.Segment, i int, now int64) bool {
	s, other := &c.Sides[i], &c.Sides[1-i]
	if s.RST.Time != 0 || !other.RST.Outlived || other.RST.Place != seg.Place {
		return false
	}
	c.reset(seg, i, now)
	c.Late = 2 - i
	return s.RST.Time != 0
}
