package flow

import "github.com/closetrace/closetrace/wire/internal/packet"

// Fit says how the sequence number of a RST fits what its receiver expects (RFC 5961).
type Fit uint8

// How a RST fits.
const (
	FitsUnknown Fit = iota // too little of the connection is in the capture
	FitsExactly            // it is the next number, of its sender or for its receiver
	FitsWindow             // within the receiver's window: answered by a challenge ACK
	FitsNot                // blind: it is ignored
)

// Reset is a RST that may have ended the connection.
type Reset struct {
	Time int64 // 0: none
	Fit  Fit
	// Reply: it has no ACK flag, as one in answer to a segment for which there is no
	// connection (RFC 9293, section 3.10.7.1).
	Reply bool
	// AfterFIN, AfterPeerFIN: its sender had sent its FIN, or had received one.
	AfterFIN, AfterPeerFIN bool
	// FINAcked: its sender's FIN had been acknowledged.
	FINAcked bool
	// Late is how many bytes had come for its sender after its FIN.
	Late uint64
	// Tries and Probes are those of its sender that had not been answered; of Tries, if a
	// timer made them.
	Tries, Probes uint32
	// Stuck is how often its sender had sent again, by a timer, what was never acknowledged.
	Stuck uint32
	// Unacked is what its sender had sent and was not acknowledged.
	Unacked uint64
	// Idle is how long no data had been sent by either side.
	Idle int64
	// Mute: its sender had sent nothing since it got no answer to what it sent again.
	Mute bool
	// Refuses: it answers a SYN. Cancels: it answers a SYN-ACK.
	Refuses, Cancels bool
	// Outlived: its sender went on with the connection afterwards: it did not send it.
	Outlived bool
	// Unheard: the other side went on afterwards.
	Unheard bool
	// Dropped: the capture says that it was.
	Dropped bool
	// Damaged: its checksum is wrong, and those of its sender's other segments are right.
	// Where all are wrong the network card was to fill them in.
	Damaged bool
	// Copied: it was captured again on its way through a host.
	Copied bool
	// How it looks. Whole: its options were captured.
	Whole, HasID, HasTS bool
	TTL                 uint8
	ID, Window, Place   uint16
	Interface, TS       uint32
	seq                 uint32
	next                uint32 // of its sender
}

// fit compares a RST from s to other with what is known of both.
func fit(seg *packet.Segment, s, other *Side) Fit {
	switch {
	case !s.Seen && !s.hasUna:
		return FitsUnknown
	case seg.Seq == s.next, s.hasUna && seg.Seq == s.una:
		return FitsExactly
	case s.FIN != 0 && seg.Seq == s.finSeq: // before its own FIN: in answer to what crossed it
		return FitsExactly
	case seg.Seq-s.una <= max(widest(s, other), 1):
		return FitsWindow
	default:
		return FitsNot
	}
}

// widest is the window of other, towards s, or the widest that it may be: the scale is in
// both SYNs.
func widest(s, other *Side) uint32 {
	const scale = 14 // the highest (RFC 7323, section 2.3)
	switch {
	case s.HasISN && other.HasISN:
		return other.Window
	case !other.Seen:
		return 1 << (16 + scale)
	default:
		return other.Window << scale
	}
}

// describe returns what a RST from side i is, and notes if that shows that c was open.
func (c *Conn) describe(seg *packet.Segment, i int, now int64) Reset {
	s, other := &c.Sides[i], &c.Sides[1-i]
	shown := c.Opened == 0 && c.showsOpen(seg, i)
	if shown {
		c.Opened = now
	}
	r := Reset{
		Time: now, Fit: fit(seg, s, other), Reply: !seg.Has(packet.ACK), seq: seg.Seq, next: s.next,
		AfterFIN: s.FIN != 0, FINAcked: s.FINAcked != 0, AfterPeerFIN: other.FIN != 0, Late: other.AfterFIN,
		Tries: s.timeouts(s.Tries), Probes: s.Probes, Stuck: s.timeouts(s.Stuck.Tries), Mute: s.TriedAt != 0 && s.TriedAt == s.Last, Unacked: s.Unacked(),
		TTL: seg.TTL, Interface: seg.Interface, Place: seg.Place, Window: seg.Window, Whole: seg.Options.Whole,
		ID: seg.ID, HasID: seg.HasID, HasTS: seg.Options.HasTS, TS: seg.Options.TS,
	}
	r.Damaged = seg.Checksum == packet.ChecksumWrong && s.Looks.filled && !s.Looks.unfilled
	if last := max(s.LastData, other.LastData, c.Opened); last != 0 {
		r.Idle = now - last
	}
	switch {
	case !s.Seen && c.Client == 1-i && c.Opened == 0 && other.HasISN:
		r.Refuses = seg.Has(packet.ACK) && seg.Ack-other.ISN-1 <= uint32(other.Bytes)
		r.Fit = FitsNot
		if r.Refuses {
			r.Fit = FitsExactly
		}
	case c.Client == i && c.Opened == 0:
		r.Cancels = other.HasISN && seg.Seq == s.next
		r.Fit = FitsNot // it answers a segment of another connection
		if r.Cancels {
			r.Fit = FitsExactly
		}
	}
	switch {
	case shown && r.Fit == FitsNot:
		c.Opened = 0
	case shown:
		c.Shown = true
	}
	return r
}

// showsOpen reports whether a RST is of a connection that was open, although the capture lacks
// the client's answer to the SYN-ACK: the client had heard that (RFC 9293, section 3.10.7.1:
// what answers it without a connection has no ACK), or the numbers are behind the handshake.
func (c *Conn) showsOpen(seg *packet.Segment, i int) bool {
	const near = 1 << 30
	s, other := &c.Sides[i], &c.Sides[1-i]
	if c.Client < 0 || c.Crossed || !s.HasISN {
		return false
	}
	sent, got := seg.Seq-s.ISN-1, seg.Ack-other.ISN-1
	switch {
	case c.Client != i && !seg.Has(packet.ACK): // it answers what acknowledged the SYN-ACK
		return sent < near
	case c.Client != i:
		return other.HasISN && got > uint32(other.Bytes) && got < near
	case !other.Seen: // the answer would be of the other direction
		return seg.Has(packet.ACK) && sent < near && seg.Ack != 0
	case !other.HasISN || !s.hasUna: // or had another number: what answers that is of an attempt
		return false
	case !seg.Has(packet.ACK):
		return sent > uint32(s.Bytes) && sent < near
	default:
		return sent < near && got < near
	}
}

// Unlike says in what a RST differs from its sender's other segments: TTL is the surest.
type Unlike struct{ TTL, Interface, ID, TS, Window, NoTS, NoID bool }

// Between reports whether it shows that something else made the RST. A different window
// alone does not, nor does a missing time stamp or identification: stacks do that, but
// none does two of them at once in a RST that is not an answer.
func (u Unlike) Between() bool {
	return u.TTL || u.Interface || u.ID || u.TS || btoi(u.Window)+btoi(u.NoTS)+btoi(u.NoID) >= 2
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Unlike compares the RST with what else its sender sent. Segments of one sender take one
// path, so that their TTL is the same. On the interface by which a router forwards
// segments, one that it made itself has a different TTL.
//
// A reply is made without the connection: Linux then has the identification 0, or in
// older versions that of another counter, the window 0 and no time stamp (tcp_v4_send_reset), so
// that those say nothing. A RST of
// the connection's own has what its other segments have (tcp_send_active_reset), or on
// Windows and BSD the window 0 and no time stamp.
func (s *Side) Unlike(r *Reset) Unlike {
	l := &s.Looks
	if l.Count == 0 || l.many || !l.in(r.Place) || l.places[1].captured && !s.twice() {
		return Unlike{}
	}
	const enough, wider = 3, 4
	u := Unlike{
		TTL: true, Interface: s.twice(),
		ID:     r.HasID && !r.Reply && l.IDs.far(r.ID, r.Time),
		TS:     r.HasTS && l.HasTS && r.TS != 0 && !l.stamped(r.TS, r.Time),
		Window: r.Window != 0 && l.Count > enough && int(r.Window) > wider*int(l.widest),
		NoTS:   l.HasTS && !r.HasTS && r.Whole && !r.Reply,
		NoID:   r.HasID && r.ID == 0 && l.IDs.counted() && !r.Reply,
	}
	for _, p := range l.places {
		far := p.ttl != r.TTL && (!r.Reply || hops(p.ttl) != hops(r.TTL))
		u.TTL = u.TTL && (!p.captured || far)
		u.Interface = u.Interface && (far || p != place{true, p.ttl, r.Interface, r.Place})
	}
	return u
}

// hops is how many routers a segment passed, which began with a TTL that hosts begin with.
func hops(ttl uint8) uint8 {
	for _, begin := range [...]uint8{32, 64, 128} {
		if ttl <= begin {
			return begin - ttl
		}
	}
	return 255 - ttl
}

// Once reports whether the RST of s was captured once, where other segments of s were
// captured in two places.
func (s *Side) Once() bool { return s.Looks.places[1].captured && !s.RST.Copied }
