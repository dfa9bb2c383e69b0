package flow

import "github.com/closetrace/closetrace/wire/internal/packet"

// Side is one end of a connection, as its segments show it. Times are nanoseconds
// since 1970; 0 is never.
type Side struct {
	// Seen: a segment of it was captured.
	Seen bool
	// HasISN: its SYN was captured; ISN is that one's number.
	HasISN bool
	ISN    uint32
	// Began is when its first segment was captured.
	Began int64

	next   uint32 // the sequence number after the highest that was sent
	top    uint32 // the same of its own segments that have numbers: next may follow from what was acknowledged
	hasTop bool
	una    uint32 // the highest number that the other side acknowledged
	hasUna bool
	hole   [2]uint32 // what was not captured when what is beyond it was
	holeAt int64
	scale  uint8 // of its window, plus 1
	// Lacking: the last thing of it that was acknowledged is not in the capture; it may
	// be a FIN.
	Lacking bool
	// Missed is how often something was acknowledged that was not captured, not even later.
	Missed uint32

	// Bytes is how much payload it sent, each byte once, from the first segment on that
	// was captured.
	Bytes uint64

	// Segments, and those of them that were sent again.
	Segments, Retransmits uint64
	// Retransmitted are the bytes that were sent again.
	Retransmitted uint64
	// Window is the last that it announced, in bytes.
	Window uint32
	// MSS is that of its SYN.
	MSS uint16

	// FirstData, LastData and Last are when data was first and last sent for the first
	// time, and when anything was.
	FirstData, LastData, Last int64
	// Talked is LastData without what came after the first FIN of the two.
	Talked int64
	// AnsweredAt is when the other side last sent anything but a RST.
	AnsweredAt int64

	// FIN is when its FIN was first sent, FINAcked when that was acknowledged.
	FIN, FINAcked int64
	finSeq        uint32
	full          uint32 // where its first segment of the full size ended, 0 if it sent none
	// SYNAgain and FINAgain: its SYN or SYN-ACK, or its FIN, was captured more than once.
	SYNAgain, FINAgain bool
	// FINReset: after its FIN was acknowledged it was sent again, and answered with RST.
	FINReset bool
	finAgain bool
	// AfterFIN is how many bytes it sent after the other side's FIN.
	AfterFIN uint64

	// Tries are retransmissions since the last answer, Probes keep-alives or, if the
	// other side's window is closed, probes of it. TriedAt is the time of the last of
	// them, Gap that between the last two.
	Tries, Probes uint32
	TriedAt, Gap  int64
	StalledAt     int64 // of the first of them
	Stuck         Stuck
	// Closed are the probes of the other side's closed window since it last sent
	// anything new, answered or not.
	Closed Closed

	// RST is the first RST that it sent and that may have ended the connection.
	RST Reset
	// RSTs are how many it sent that fit, Blind those that did not.
	RSTs, Blind uint32

	// Looks is how its segments look, RSTs left out.
	Looks Looks
	// Copies are segments that were captured again on their way through a host.
	Copies uint64
	recent [8]sighting
	runs   [2]run // data, the newest first
	// place is the capture that had last something new of it, of several.
	place  uint16
	newest uint8 // of recent
	// Alert is what its last TLS record says if that is an alert.
	Alert Alert
	// Status is that of the last HTTP response that it began, 0 if not asked for.
	Status uint16
	// Owner is its process, as the capture says; Said is the process that it named with
	// segments of this side without saying whose process it is.
	Owner, Said *Owner
	// Told is a counter for the function that gets the ends.
	Told int
}

// Owner is the process, the container and the pod that a capture names.
type Owner struct {
	PID                                int
	Name, Path, Container, ContainerID string
	Pod, Namespace, PodUID             string
	User                               uint32
	HasUser                            bool
}

// twice: most segments of s were captured twice.
func (s *Side) twice() bool { return s.Copies*2 > s.Looks.Count }

// after reports whether a is beyond b in sequence space.
func after(a, b uint32) bool { return int32(a-b) > 0 }

// Unacked is how many of Bytes were not acknowledged.
func (s *Side) Unacked() uint64 {
	n := s.next - s.una
	if s.HasISN && !s.hasUna && n > 0 { // not even its SYN
		n--
	}
	if s.FIN != 0 && s.FINAcked == 0 && n > 0 {
		n--
	}
	return min(uint64(n), s.Bytes)
}

// begin takes the number of its first segment.
func (s *Side) begin(seg *packet.Segment, now int64) {
	s.Seen, s.Began, s.next = true, now, seg.Seq
	switch {
	case seg.Has(packet.SYN):
		s.HasISN, s.ISN, s.MSS, s.scale = true, seg.Seq, seg.Options.MSS, seg.Options.Scale
		s.una, s.hasUna = seg.Seq, false
	case !s.hasUna:
		s.una = seg.Seq
	case after(s.una, seg.Seq): // one that was acknowledged before it was captured
		s.next = s.una
	}
}

// sent takes the sequence numbers of a segment.
func (s *Side) sent(seg *packet.Segment, other *Side, now int64) {
	if s.Lacking && seg.Space() > 0 && seg.Seq+seg.Space() == s.next {
		s.Missed--
	}
	s.data(seg, other, now)
	if seg.Space() > 0 && seg.Seq+seg.Space() == s.next {
		s.Lacking = false
	}
	s.SYNAgain = s.SYNAgain || seg.Has(packet.SYN) && s.Segments > 1
	if seg.Has(packet.FIN) {
		s.FINAgain = s.FINAgain || s.FIN != 0
		s.finAgain = s.FINAcked != 0
		s.fin(seg.Seq+seg.Space(), now)
	}
	if end := seg.Seq + seg.Space(); seg.Space() > 0 && (!s.hasTop || after(end, s.top)) {
		s.top, s.hasTop = end, true
	}
}

func (s *Side) data(seg *packet.Segment, other *Side, now int64) {
	space := seg.Space()
	end := seg.Seq + space
	fresh := int32(end - s.next)
	control := space - seg.Length
	switch {
	case s.midway() && seg.Length == 1 && !seg.Has(packet.PSH) && control == 0: // of Windows: before what it sends next
		s.next = end
		s.try(&s.Probes, now)
		return
	case space == 0 && seg.Seq == s.next-1 && s.quiet(), seg.Length == 1 && fresh == 0 && s.quiet() && !seg.Has(packet.FIN) && !seg.Has(packet.SYN):
		s.try(&s.Probes, now)
		s.Closed.probe(other, now)
		return
	case space == 0:
		return
	case fresh <= 0 && s.fills(seg.Seq, end, now): // came late
	case fresh <= 0:
		s.Retransmits++
		s.Retransmitted += uint64(seg.Length)
		if !s.hasUna || after(end, s.una) || seg.Has(packet.SYN) && !seg.Has(packet.ACK) {
			s.try(&s.Tries, now)
			s.Stuck.again(seg.Length, now)
			s.Closed.probe(other, now)
		}
		return
	default:
		if seg.Length > 0 { // a stack that got no answer sends nothing new, except its FIN
			s.Tries, s.Probes = 0, 0
		}
		if beyond := int32(seg.Seq - s.next); beyond > 0 {
			s.hole, s.holeAt = [2]uint32{s.next, seg.Seq}, now
		} else if beyond < 0 {
			s.Retransmits++
			s.Retransmitted += uint64(-beyond)
		}
		s.Closed = Closed{}
		s.Bytes += uint64(uint32(fresh) - min(control, uint32(fresh)))
		s.next = end
	}
	if seg.Length > 0 {
		if s.FirstData == 0 {
			s.FirstData = now
		}
		s.LastData = now
		if s.FIN == 0 && other.FIN == 0 {
			s.Talked = now
		}
		if other.FIN != 0 {
			s.AfterFIN += uint64(seg.Length)
		}
	}
}

// fin takes a FIN, also one that comes late, or whose acknowledgement was captured
// before it.
func (s *Side) fin(end uint32, now int64) {
	if s.FIN != 0 || s.hasTop && after(s.top, end) { // of an earlier connection: data is beyond it
		return
	}
	s.FIN, s.finSeq = now, end-1
	if s.hasUna && after(s.una, s.finSeq) {
		s.FINAcked = now
		if s.una == end && s.Bytes > 0 { // it had been taken for a byte that was not captured
			s.Bytes--
		}
	}
}

// lacks notes that the last thing that was acknowledged was not captured.
func (s *Side) lacks() {
	if !s.Lacking {
		s.Missed++
	}
	s.Lacking = true
}

// midway: the capture has nothing of its numbers yet but where they are.
func (s *Side) midway() bool { return !s.HasISN && !s.hasUna && !s.hasTop }

// quiet: everything that it sent was acknowledged, and it has not closed.
func (s *Side) quiet() bool { return s.hasUna && s.una == s.next && s.FIN == 0 }

// reordered is how late a segment may come that was not sent again.
const reordered = 3e6

// fills reports whether a segment is part of the hole, and not a retransmission.
func (s *Side) fills(from, end uint32, now int64) bool {
	if s.hole[0] == s.hole[1] || after(s.hole[0], from) || after(end, s.hole[1]) || now-s.holeAt > reordered {
		return false
	}
	switch {
	case from == s.hole[0]:
		s.hole[0] = end
	case end == s.hole[1]:
		s.hole[1] = from
	}
	return true
}

// try counts what was sent because no answer came.
func (s *Side) try(count *uint32, now int64) {
	if s.Tries == 0 && s.Probes == 0 {
		s.StalledAt, s.Gap = now, 0
	}
	s.Gap, s.TriedAt = max(s.Gap, now-s.Last), now
	*count++
}

// wait is the time within which another retransmission would come: each waits twice as
// long as the one before.
func (s *Side) wait() int64 {
	if s.Tries+s.Probes == 0 {
		return 0
	}
	return min(max(2*s.Gap, s.TriedAt-s.StalledAt), mostTries) + second
}

// Closed is how long a side has probed the closed window of the other.
type Closed struct {
	Probes           uint32
	Since, Last, Gap int64
}

func (c *Closed) probe(other *Side, now int64) {
	switch {
	case other.Window != 0 || !other.Seen:
		return
	case c.Probes == 0:
		c.Since = now
	default:
		c.Gap = max(c.Gap, now-c.Last)
	}
	c.Probes, c.Last = c.Probes+1, now
}

// Late reports whether another probe would have come before now: each waits at most
// twice as long as the one before.
func (c *Closed) Late(now int64) bool { return c.Probes >= least && now > c.due() }

func (c *Closed) due() int64 { return c.Last + min(2*c.Gap, mostTries) + second }

// answered: the other side is there.
func (s *Side) answered(now int64) {
	s.AnsweredAt, s.Probes, s.Tries = now, 0, 0
}

// unlikely is how many bytes a capture may lack before an acknowledgement is ignored.
const unlikely = 1 << 30

// acked takes an acknowledgement.
func (s *Side) acked(ack uint32, now int64) {
	switch {
	case !s.Seen && !s.hasUna: // of the side that is not captured, or not yet
		s.una, s.next, s.hasUna = ack, ack, true
		return
	case s.hasUna && ack-s.una > unlikely, // an old one, or of another connection
		s.HasISN && !s.hasUna && !after(ack, s.ISN): // only now: 2 GiB on, its number seems to be ahead
		return
	case ack == s.una && s.hasUna:
		return
	}
	if after(ack, s.next) { // what it acknowledges is not in the capture
		if ack != s.next+1 || !s.midway() { // else a keepalive probe was first, rather than a byte
			s.Bytes += uint64(ack - s.next)
		}
		s.next = ack
		s.lacks()
	}
	s.una, s.hasUna, s.Tries, s.Stuck = ack, true, 0, Stuck{}
	if s.FIN != 0 && s.FINAcked == 0 && after(ack, s.finSeq) {
		s.FINAcked = now
	}
}
