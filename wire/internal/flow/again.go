package flow

import "github.com/closetrace/closetrace/wire/internal/packet"

// elsewhere is a distance from the last number that no segment of the same connection
// has: no TCP window allows so much in flight in both directions. Where one side has sent
// its FIN it is nearer: Linux uses a tuple in TIME_WAIT again from 65535 on
// (tcp_twsk_unique), and ends that have lost each other answer with what they still know.
const (
	elsewhere = 1 << 24
	near      = 1<<16 - 1
)

// vain: a SYN-ACK is sent again that the client did not get, which has given up.
func (c *Conn) vain(seg *packet.Segment, i int) bool {
	return c.How == Unanswered && i != c.Client && seg.Has(packet.SYN) && c.Sides[i].HasISN
}

// another reports whether a segment of side i, neither SYN nor RST, is not of c: the
// tuple was reused, and the SYNs are not in the capture. Nothing follows a FIN, nor is
// anything beyond it acknowledged (RFC 9293, section 3.6); a connection that reuses a
// tuple in TIME_WAIT begins beyond it (RFC 6191, tcp_twsk_unique of Linux). One wrong
// number of two is not enough: a forged segment may have guessed the other.
func (c *Conn) another(seg *packet.Segment, i int) bool {
	s, other := &c.Sides[i], &c.Sides[1-i]
	if !seg.Has(packet.ACK) || !s.known() || !other.known() {
		return false
	}
	end := seg.Seq + seg.Space()
	sent, acked := c.distance(seg, i)
	switch {
	case s.FIN != 0 && after(end, s.finSeq+1) && acked != 0,
		other.FIN != 0 && after(seg.Ack, other.finSeq+1) && seg.Seq != s.next:
		return s.FIN != 0 && other.FIN != 0 || far(sent, acked, near)
	case c.How == WasReset: // it would continue where it was
		return seg.Seq != s.next && sent > 0 && acked > 0 || far(sent, acked, elsewhere)
	default:
		return far(sent, acked, elsewhere)
	}
}

// known: one of its numbers is.
func (s *Side) known() bool { return s.Seen || s.hasUna }

// distance returns how far behind the last numbers a segment of side i begins, and what it
// acknowledges.
func (c *Conn) distance(seg *packet.Segment, i int) (sent, acked int32) {
	return int32(seg.Seq - c.Sides[i].next), int32(seg.Ack - c.Sides[1-i].next)
}

func far(sent, acked, bound int32) bool {
	return max(sent, -sent) > bound && max(acked, -acked) > bound
}

// again stops following c, whose tuple now belongs to a connection whose SYNs are not in
// the capture. If a RST had ended c and the numbers are near, c itself may go on, and the
// capture lack segments.
func (t *Table) again(c *Conn, seg *packet.Segment, i int) {
	if sent, acked := c.distance(seg, i); c.How == WasReset && !c.told && !far(sent, acked, elsewhere) {
		c.Sides[c.By].RST.Unheard = true
	}
	t.give(c)
}
