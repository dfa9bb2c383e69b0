package flow

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/closetrace/closetrace/wire/internal/packet"
)

// DefaultConnections is how many connections a [Table] follows: about 1.4 KiB each.
const DefaultConnections = 1 << 18

// Table follows the connections of a capture.
//
// When it is full, an ended connection makes room, then the oldest attempt if attempts
// are an eighth of all, then the connection that was silent longest.
type Table struct {
	// Ended is called for each connection that has ended, and again for one that had only
	// seemed to. The connection stays the table's.
	Ended func(*Conn)
	// Gone is called, if it is not nil, for each connection that is no longer followed,
	// ended or not.
	Gone func(*Conn)
	// Lost counts connections that made room before they ended, Strays RSTs for
	// connections that are not followed, Idle those that were given up.
	Lost, Strays, Idle uint64
	// Stray is from where to where the first of the strays went.
	Stray [2]netip.AddrPort

	most  int
	conns map[key]*Conn
	free  []*Conn
	count uint64

	now    int64
	behind int         // segments in a row
	wheel  [slots]list // by the second in which something is due
	tick   int64       // the second until which all was done
	half   list        // by age: attempts, those that live, those that were reported
	live   list
	told   list
}

// slots is how many seconds ahead something can be due; what is due later is looked at in
// between.
const slots = 512

// NewTable returns a table for so many connections, 0 for [DefaultConnections].
func NewTable(most int, ended func(*Conn)) *Table {
	if most <= 0 {
		most = DefaultConnections
	}
	t := &Table{Ended: ended, most: most, conns: map[key]*Conn{}}
	for _, l := range []*list{&t.half, &t.live, &t.told} {
		l.at = byAge
	}
	for i := range t.wheel {
		t.wheel[i].at = byTime
	}
	return t
}

// Add takes a segment that was captured at now, and returns its connection, nil if it
// is not followed, with the side that sent it.
func (t *Table) Add(seg *packet.Segment, now int64) (*Conn, int) {
	if now <= 0 { // simple packets of pcapng have no time: 0 is never
		now = t.now + 1
	}
	t.Advance(now)
	k, i := keyOf(seg)
	c := t.conns[k]
	if c != nil && seg.Has(packet.SYN) && !seg.Has(packet.RST) {
		if c = t.syn(c, seg, i); c != nil && c.again != nil && c.again.Seq == seg.Seq {
			return nil, 0
		}
	} else if c == nil && seg.Has(packet.RST) {
		if t.Strays++; t.Strays == 1 {
			x := Conn{key: k}
			t.Stray = [2]netip.AddrPort{x.Endpoint(i), x.Endpoint(1 - i)}
		}
		return nil, 0
	} else if c != nil && !seg.Has(packet.RST) && c.another(seg, i) {
		t.again(c, seg, i)
		c = nil
	}
	if c == nil {
		c = t.open(k, seg, i, now)
	}
	if c.retried(seg, i, now) {
		c.How, c.Ended, c.told, c.Sides[1-i].RST = Open, 0, false, Reset{}
	}
	if c.told && (!c.concluded() || c.Sides[i].behind(seg, &c.Sides[1-i]) || c.vain(seg, i)) {
		if c.belies(seg, i, now) {
			t.Ended(c)
		}
		c.Last = max(c.Last, now)
		return nil, 0
	}
	if c.told { // the conclusion was wrong
		c.How, c.told = Open, false
	}
	c.add(seg, i, now)
	t.moved(c)
	return c, i
}

// syn decides what a SYN on a known tuple is: it returns c if it belongs to that
// connection, nil if a new one begins.
func (t *Table) syn(c *Conn, seg *packet.Segment, i int) *Conn {
	s := &c.Sides[i]
	switch {
	case s.HasISN && s.ISN == seg.Seq:
		return c // sent again
	case seg.Has(packet.ACK):
		if c.again != nil && seg.Ack-c.again.Seq-1 <= c.again.Length && (c.again.SrcPort != seg.SrcPort || c.again.Src != seg.Src) {
			begun, k := c.again, c.key
			if c.How == Open {
				c.end(Replaced, 1-i, t.now)
			}
			t.give(c)
			fresh := t.open(k, begun, 1-i, t.now)
			fresh.add(begun, 1-i, t.now)
			return fresh
		}
		o := &c.Sides[1-i]
		sent, acked := c.distance(seg, i)
		if (c.told && !c.concluded() || c.How != Open) && (!o.HasISN || seg.Ack-o.ISN-1 > uint32(o.Bytes)) ||
			s.known() && o.known() && far(sent, acked, elsewhere) {
			t.give(c) // and the SYN is not in the capture
			return nil
		}
		return c
	case c.half() && c.How == Open && i != c.Client: // both open it at once (RFC 9293, figure 7)
		c.Crossed = true
		return c
	case c.told, c.How != Open, c.half(), c.Sides[0].FIN != 0 && c.Sides[1].FIN != 0:
		t.give(c)
		return nil
	case i == c.Client && !s.Seen && c.Opened == 0 && c.answers-seg.Seq-1 <= seg.Length:
		return c // captured after its answer: processors and interfaces are not in order
	default: // the peer may have restarted; or it is none of its own
		again := *seg
		again.Payload = nil
		c.again, c.Again = &again, i
		return c
	}
}

// give stops following c, whose tuple is reused.
func (t *Table) give(c *Conn) {
	if !c.told {
		c.conclude()
		t.tell(c)
	}
	t.drop(c)
}

// open begins to follow a connection.
func (t *Table) open(k key, seg *packet.Segment, i int, now int64) *Conn {
	if len(t.conns) >= t.most {
		t.makeRoom()
	}
	var c *Conn
	if n := len(t.free); n > 0 {
		c, t.free = t.free[n-1], t.free[:n-1]
	} else {
		c = new(Conn)
	}
	t.count++
	*c = Conn{key: k, Number: t.count, First: now, Client: -1, Again: -1}
	if seg.Has(packet.SYN) {
		c.Client = i
		if seg.Has(packet.ACK) { // of the server: the SYN is not in the capture
			c.Client, c.answers = 1-i, seg.Ack
		}
	}
	t.conns[k] = c
	c.list = &t.live
	if c.half() {
		c.list = &t.half
	}
	c.list.push(c)
	t.schedule(c, c.First+resent)
	return c
}

// moved keeps the lists after a segment of c.
func (t *Table) moved(c *Conn) {
	to := &t.live
	if c.half() {
		to = &t.half
	}
	if c.list != to || to.last != c {
		c.list.remove(c)
		c.list = to
		to.push(c)
	}
	if due := c.deadline(); due/second < c.due {
		t.wheel[c.due%slots].remove(c)
		t.schedule(c, due)
	}
}

func (t *Table) schedule(c *Conn, due int64) {
	c.due = min(max(due/second, t.tick+1), t.tick+slots-1)
	t.wheel[c.due%slots].push(c)
}

// Advance sets the time, and does what is due by then. A time stamp that was far ahead does
// not stop the time for ever: many in a row that are far behind it show that it was wrong.
func (t *Table) Advance(now int64) {
	const far, many = 3600 * second, 256
	if t.behind++; now <= 0 || now > t.now-far {
		t.behind = 0
	} else if t.behind > many {
		t.now, t.tick = now, now/second-1
	}
	t.now = max(t.now, now)
	if t.now/second <= t.tick {
		return
	}
	if t.tick == 0 {
		t.tick = t.now/second - 1
	}
	t.tick = max(t.tick, t.now/second-slots)
	for t.tick < t.now/second {
		t.tick++
		t.expire(&t.wheel[t.tick%slots])
	}
}

// expire looks at those whose second is over.
func (t *Table) expire(l *list) {
	for n := l.count; n > 0 && l.first != nil; n-- {
		c := l.first
		l.remove(c)
		due := c.deadline()
		switch {
		case due > t.now:
			t.schedule(c, due)
		case c.told:
			t.release(c)
		case !c.conclude():
			t.Idle++
			t.release(c)
		default:
			t.tell(c)
			t.schedule(c, c.deadline())
		}
	}
}

// tell reports an end. A connection whose end was only concluded may still go on.
func (t *Table) tell(c *Conn) {
	t.Ended(c)
	c.told = true
	c.list.remove(c)
	c.list = &t.told
	c.list.push(c)
}

// drop forgets c, which is in the wheel.
func (t *Table) drop(c *Conn) {
	t.wheel[c.due%slots].remove(c)
	t.release(c)
}

func (t *Table) release(c *Conn) {
	if t.Gone != nil {
		t.Gone(c)
	}
	c.list.remove(c)
	delete(t.conns, c.key)
	t.free = append(t.free, c)
}

func (t *Table) makeRoom() {
	c := t.told.first
	switch {
	case c != nil:
	case t.half.count > t.most/8 || t.live.first == nil:
		c = t.half.first
	default:
		c = t.live.first
	}
	if !c.told && c.How != Open {
		t.tell(c)
	} else if !c.told {
		t.Lost++
	}
	t.drop(c)
}

// Close reports the ends that were held back. Other connections are open.
func (t *Table) Close() {
	var rest []*Conn
	for _, c := range t.conns {
		if !c.told && (c.How != Open || c.Sides[0].FIN != 0 && c.Sides[1].FIN != 0) {
			rest = append(rest, c)
		}
	}
	slices.SortFunc(rest, func(a, b *Conn) int { return cmp.Compare(a.Number, b.Number) })
	for _, c := range rest {
		c.conclude()
		t.tell(c)
	}
}

// Leave passes all followed connections to Gone: it is the end of the capture.
func (t *Table) Leave() {
	if t.Gone != nil {
		for _, c := range t.conns {
			t.Gone(c)
		}
	}
}

// Len is how many connections are followed.
func (t *Table) Len() int { return len(t.conns) }

// Unreachable takes an ICMP error about a segment that was sent.
func (t *Table) Unreachable(inner *packet.Segment, e Error, now int64) {
	t.Advance(now)
	k, i := keyOf(inner)
	c := t.conns[k]
	if c == nil || c.How != Open || !c.half() || c.Client != i || e.Numbered && c.Sides[i].ISN != inner.Seq {
		return
	}
	c.Error = e
	c.end(Unreachable, i, now)
	c.Last = now
	t.moved(c)
}

// Dropped takes a segment of which the capture says that it was dropped on its way through
// the host; most were captured before that, too.
func (t *Table) Dropped(seg *packet.Segment, now int64) {
	t.Advance(now)
	k, i := keyOf(seg)
	if c := t.conns[k]; c != nil && seg.Has(packet.RST) && c.Sides[i].RST.Time != 0 && c.Sides[i].RST.seq == seg.Seq {
		c.Sides[i].RST.Dropped = true
	}
}
