package flow

import "github.com/closetrace/closetrace/wire/internal/packet"

// copied is the time within which a segment is captured again if it passes several
// interfaces: of a router, or of a host with containers.
const copied = 10e6

// mirrored is the time within which the same octets at the same place are one segment
// that a mirror port or bridge shows twice: no retransmission comes so soon.
const mirrored = 1e6

// sighting is what is remembered of a segment to recognise it.
type sighting struct {
	at    int64
	what  uint32
	where uint32
}

// copy reports whether seg was captured before, on another interface, with another TTL,
// or just now, also whole or in pieces. A retransmission has another IP identification, or comes later.
// Acknowledgments and RSTs without data may be the same and sent twice.
func (s *Side) copy(seg *packet.Segment, other *Side, now int64) bool {
	x := sightingOf(seg, now)
	switch {
	case s.sighted(seg, &x) || s.behind(seg, other):
		s.Copies++
		return true
	case s.pieced(seg, &x):
		return true
	}
	if !seg.Has(packet.RST) {
		s.place = seg.Place
	}
	s.remember(seg, &x)
	return false
}

// behind reports whether seg is of another capture than what is new of s, and has nothing
// new: it was there before. How far the two are apart, and their clocks, does not matter. A
// retransmission counts where its original did.
func (s *Side) behind(seg *packet.Segment, other *Side) bool {
	switch {
	case seg.Has(packet.RST):
		return s.RST.Time != 0 && s.RST.Place != seg.Place && s.RST.seq == seg.Seq
	case !s.Seen || s.place == seg.Place:
		return false
	}
	return (seg.Space() == 0 || !after(seg.Seq+seg.Space(), s.next)) &&
		(!seg.Has(packet.ACK) || other.hasUna && !after(seg.Ack, other.una))
}

func sightingOf(seg *packet.Segment, now int64) sighting {
	return sighting{now, digest(seg), seg.Interface<<8 ^ uint32(seg.TTL)}
}

// sighted is copy without a trace: the segment may still be added.
func (s *Side) sighted(seg *packet.Segment, x *sighting) bool {
	sent := !seg.Has(packet.RST) && (seg.Length > 0 || seg.Has(packet.SYN) || seg.Has(packet.FIN))
	for i := range s.recent {
		r := &s.recent[i]
		ago := max(x.at-r.at, r.at-x.at)
		if r.at != 0 && r.what == x.what && (r.where != x.where && ago <= copied || sent && ago <= mirrored) {
			return true
		}
	}
	return false
}

// digest covers what does not change on the way.
func digest(seg *packet.Segment) uint32 {
	return mix(uint32(seg.ID)<<16|uint32(seg.Window), seg.Seq, seg.Ack, uint32(seg.Flags)<<24^seg.Length, seg.Options.TS)
}

func mix(sum uint32, all ...uint32) uint32 {
	const prime = 0x9e3779b1
	for _, v := range all {
		sum = (sum ^ v) * prime
		sum ^= sum >> 15
	}
	return sum
}
