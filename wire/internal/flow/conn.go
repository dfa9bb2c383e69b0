package flow

import (
	"net/netip"

	"github.com/closetrace/closetrace/wire/internal/packet"
)

// How says how a connection ended.
type How uint8

// How a connection ends, as far as segments show it.
const (
	Open        How = iota
	Finished        // both sides sent their FIN
	WasReset        // by a RST
	Refused         // by a RST in answer to the SYN
	Cancelled       // the client reset it before it was open
	Unanswered      // the SYN was never answered, and is no longer sent
	Unreachable     // an ICMP error answered the SYN
	Replaced        // a new connection of the same tuple was opened
	Silent          // what was retransmitted was never answered, and is no longer sent
)

// Error is an ICMP error. Numbered: it has the sequence number of what it is about.
type Error struct {
	Type, Code uint8
	Numbered   bool
}

// key is a tuple, whichever way a segment goes.
type key struct {
	low, high         packet.Addr
	lowPort, highPort uint16
	family            uint16
}

// keyOf returns the key and which side sent the segment.
func keyOf(s *packet.Segment) (k key, from int) {
	k = key{low: s.Src, high: s.Dst, lowPort: s.SrcPort, highPort: s.DstPort, family: 4}
	if s.V6 {
		k.family = 6
	}
	if less := compare(&s.Dst, &s.Src); less < 0 || less == 0 && s.DstPort < s.SrcPort {
		k.low, k.high, k.lowPort, k.highPort = k.high, k.low, k.highPort, k.lowPort
		from = 1
	}
	return k, from
}

func compare(a, b *packet.Addr) int {
	for i := range a {
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return 0
}

// Conn is a connection.
type Conn struct {
	key key
	// Number counts the connections of a capture.
	Number uint64
	// Sides are its two ends, in the order of their addresses.
	Sides [2]Side
	// Client is the side that sent the first SYN; -1 if that was not captured.
	Client int
	// First and Last are the times of its segments; Opened is when its client answered
	// the SYN-ACK, or 0.
	First, Last, Opened int64
	// Crossed: the other side than Client sent a SYN, too, before it had got that one.
	Crossed bool
	// Shown: only a RST shows that it was open.
	Shown bool
	// How it ended.
	How How
	// Error is the ICMP error.
	Error Error

	// Counted is for the function that gets the ends.
	Counted bool

	// Back: its time stamps go back, so that they do not say what came first.
	Back bool

	// Ended is when it ended, By the side that sent the RST, or whose segments were not
	// answered.
	Ended int64
	By    int

	// Again is the side that sent a SYN for a new connection while this one was open;
	// -1 if none did.
	Again int
	// Late is the side whose end is reported again, plus 1; 0: both.
	Late int

	again   *packet.Segment // that SYN
	answers uint32          // what the SYN-ACK acknowledged that was captured without its SYN
	told    bool            // it was reported
	due     int64
	inWheel node
	inAge   node
	list    *list
}

// Endpoint returns the address of side i.
func (c *Conn) Endpoint(i int) netip.AddrPort {
	address, port := &c.key.low, c.key.lowPort
	if i == 1 {
		address, port = &c.key.high, c.key.highPort
	}
	if c.key.family == 4 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[:4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(*address), port)
}

// Midway: its beginning was not captured.
func (c *Conn) Midway() bool { return c.Client < 0 }

// half: nothing but SYNs of one side was seen.
func (c *Conn) half() bool { return c.Client >= 0 && !c.Sides[1-c.Client].Seen && c.Opened == 0 }

// add takes a segment of side i that is not a SYN for another connection.
func (c *Conn) add(seg *packet.Segment, i int, now int64) {
	s, other := &c.Sides[i], &c.Sides[1-i]
	c.Back = c.Back || now < c.Last-jitter
	c.Last = max(c.Last, now)
	if s.copy(seg, other, now) {
		if seg.Has(packet.RST) {
			s.RST.Copied = s.RST.Copied || seg.Seq == s.RST.seq // of several one may have been forwarded
		} else {
			s.Looks.captured(seg)
			if seg.Place != s.place {
				c.outlived(seg, i)
			}
		}
		return
	}
	s.Segments++
	if seg.Has(packet.RST) {
		c.reset(seg, i, now)
		s.Last = now
		return
	}
	c.outlived(seg, i)
	if !s.Seen {
		s.begin(seg, now)
	}
	s.Looks.add(seg, now)
	s.sentFull(seg, c.Size())
	again := s.Retransmits
	s.sent(seg, other, now)
	if seg.Has(packet.ACK) {
		if c.Opened == 0 && c.Client == 1-i && !other.Seen && !seg.Has(packet.SYN) {
			c.Opened = now // the client's answer is not in a capture of the other direction
		}
		if c.Opened != 0 || c.Client != 1-i || seg.Ack == other.next || c.Client < 0 {
			if !other.Seen && (!other.hasUna || after(seg.Ack, other.next)) { // only this shows that it sends
				s.answered(now)
			}
			other.acked(seg.Ack, now) // a client that has sent only its SYN can't have more acknowledged
		}
		if c.Opened == 0 && c.Client == i && !seg.Has(packet.SYN) {
			c.Opened = now
		}
	}
	if s.Retransmits == again { // a retransmission only shows that it gets no answer either
		other.answered(now)
	}
	s.Window = uint32(seg.Window)
	if s.scale > 0 && other.scale > 0 && !seg.Has(packet.SYN) {
		s.Window <<= s.scale - 1
	}
	if len(seg.Payload) > 0 {
		s.Alert = tlsAlert(seg.Payload)
	}
	s.Last = now
	if c.How == Open && s.FINAcked != 0 && other.FINAcked != 0 {
		c.end(Finished, i, now)
	}
}

// jitter is how far packets of several processors may be out of order.
const jitter = 10e6

// reset takes a RST of side i.
func (c *Conn) reset(seg *packet.Segment, i int, now int64) {
	r, s := c.describe(seg, i, now), &c.Sides[i]
	if r.Fit != FitsNot {
		s.RSTs++
	}
	switch {
	case r.Fit == FitsNot:
		s.Blind++
		return
	case c.How == Finished:
		c.Sides[1-i].FINReset = c.Sides[1-i].finAgain
		return
	case s.RST.Time != 0 && (r.Fit != FitsExactly || s.RST.Fit == FitsExactly):
		return
	}
	s.RST = r
	if other := &c.Sides[1-i]; seg.Has(packet.ACK) && other.Seen && after(seg.Ack, other.next) {
		other.lacks()
	}
	switch {
	case r.Refuses:
		c.end(Refused, i, now)
	case r.Cancels:
		c.end(Cancelled, i, now)
	case c.How != WasReset:
		c.end(WasReset, i, now)
	}
}

// outlived notices that side i goes on after its RST, or after that of the other side.
// If both do, the RST has ended nothing: nor if what its sender sent afterwards is
// acknowledged. Of several captures only the one that has the RST can tell what came after it.
func (c *Conn) outlived(seg *packet.Segment, i int) {
	s, other := &c.Sides[i], &c.Sides[1-i]
	fresh := seg.Space() > 0
	if s.RST.Time != 0 && s.RST.Place == seg.Place && (fresh && after(seg.Seq+seg.Space(), s.RST.seq) || seg.Has(packet.ACK) && other.hasUna && after(seg.Ack, other.una)) {
		s.RST.Outlived = true
	}
	if other.RST.Time == 0 || other.RST.Place != seg.Place || !fresh && (!other.RST.Outlived || !seg.Has(packet.ACK) || !after(seg.Ack, other.RST.next)) {
		return
	}
	other.RST.Unheard = true
	if other.RST.Outlived && s.RST.Time == 0 && (c.How == WasReset || c.How == Cancelled) {
		other.Blind++
		other.RST = Reset{}
		c.How, c.Ended = Open, 0
	}
}

func (c *Conn) end(how How, by int, now int64) {
	c.How, c.By, c.Ended = how, by, now
}

// The times after which something is concluded, in nanoseconds.
const (
	second = int64(1e9)
	// grace is how long an end is held for segments that belong to it.
	grace = second
	// forgotten is how long an end is remembered, for stragglers: TIME_WAIT of Linux.
	forgotten = 60 * second
	// idle is how long a connection may be silent: longer than keep-alive's default.
	idle = 3 * 3600 * second
	// resent is how long to wait for a SYN or FIN that may be sent again (older Windows:
	// 3 s).
	resent = 4 * second
	// mostTries is the longest time between two retransmissions (Linux: TCP_RTO_MAX).
	mostTries = 121 * second
	// least is how many tries have to be unanswered.
	least = 2
)

// deadline is when something is to be done if no segment comes before.
func (c *Conn) deadline() int64 {
	switch {
	case c.told && c.How == Silent:
		return c.Last + idle
	case c.told && c.How == Unanswered:
		return c.Last + mostTries
	case c.told:
		return c.Last + forgotten
	case c.How != Open:
		return max(c.Ended, min(c.Last, c.Ended+grace)) + grace
	case c.half():
		return c.Last + max(resent, c.Sides[c.Client].wait())
	case c.How == Open && c.Sides[0].FIN != 0 && c.Sides[1].FIN != 0:
		if i := c.stalled(); i >= 0 {
			return c.Last + max(resent, c.Sides[i].wait())
		}
		return c.Last + resent
	}
	if i := c.stalled(); i >= 0 && c.How == Open {
		return c.Sides[i].TriedAt + c.Sides[i].wait()
	}
	if i := c.shut(); i >= 0 {
		return c.Sides[i].Closed.due()
	}
	return c.Last + idle
}

// concluded: nothing that was captured ended the connection; it may go on.
func (c *Conn) concluded() bool { return c.How == Silent || c.How == Unanswered }

// retried: the client goes on connecting after what seemed to have ended that: some
// systems try again after a RST, and an ICMP error may be about one of several ways. So
// does a server whose answer comes after an ICMP error.
func (c *Conn) retried(seg *packet.Segment, i int, now int64) bool {
	switch {
	case c.How == Unreachable && i == c.Client != seg.Has(packet.SYN) && !seg.Has(packet.RST):
		return true
	case i != c.Client || !seg.Has(packet.SYN) || c.How != Refused && c.How != Unreachable:
		return false
	}
	x := sightingOf(seg, now)
	return !c.Sides[i].sighted(seg, &x) && !c.Sides[i].behind(seg, &c.Sides[1-i])
}

// stalled returns the side that gets no answer, the client first, -1 if none.
func (c *Conn) stalled() int {
	for i := range c.Sides {
		if c.Client == 1 {
			i = 1 - i
		}
		if s := &c.Sides[i]; s.Tries+s.Probes >= least && s.AnsweredAt < s.StalledAt {
			return i
		}
	}
	return -1
}

// shut returns the side that probes a closed window, and gets answers; -1 if none.
func (c *Conn) shut() int {
	for i := range c.Sides {
		if c.Sides[i].Closed.Probes >= least && c.Sides[1-i].Window == 0 {
			return i
		}
	}
	return -1
}

// conclude is called at the deadline and says whether the connection has ended.
func (c *Conn) conclude() bool {
	switch {
	case c.How != Open:
	case c.half():
		c.end(Unanswered, c.Client, c.Last)
	case c.stalled() >= 0 && c.stalled() == c.Client && c.Opened == 0: // no SYN-ACK arrives
		c.end(Unanswered, c.Client, c.Sides[c.Client].Last)
	case c.stalled() >= 0:
		i := c.stalled()
		c.end(Silent, i, c.Sides[i].TriedAt)
	case c.Sides[0].FIN != 0 && c.Sides[1].FIN != 0:
		c.end(Finished, 0, c.Last)
	case c.shut() >= 0:
		i := c.shut()
		c.end(Silent, i, c.Sides[i].Closed.Last)
	}
	return c.How != Open
}
