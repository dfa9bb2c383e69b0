package flow

import "github.com/closetrace/closetrace/wire/internal/packet"

// run is data without a gap that was captured in one place, in one segment or several.
type run struct {
	at       uint32 // of the last segment, in microseconds
	where    uint32
	like     uint32
	from, to uint32
}

// alike covers what a segment and its pieces have in common: who splits one copies the
// header, and only those that agree in it are put together (tcp_gso_segment and
// tcp_gro_receive of Linux).
func alike(seg *packet.Segment) uint32 {
	return mix(uint32(seg.Window), seg.Ack, seg.Options.TS)
}

// pieced reports whether all of seg was captured elsewhere a moment ago, whole or in
// pieces: an interface that can't send large segments gets them in pieces, and a tunnel puts
// pieces together. Another of one segment counts once in Copies.
func (s *Side) pieced(seg *packet.Segment, x *sighting) bool {
	if seg.Length == 0 || seg.Has(packet.RST) {
		return false
	}
	at, like, end := uint32(x.at/1000), alike(seg), seg.Seq+seg.Space()
	for i := range s.runs {
		r := &s.runs[i]
		if r.like == like && r.where != x.where && r.near(at) && !after(r.from, seg.Seq) && !after(end, r.to) {
			if end == r.to {
				s.Copies++
			}
			return true
		}
	}
	return false
}

// remember keeps where seg was captured first.
func (s *Side) remember(seg *packet.Segment, x *sighting) {
	s.recent[s.newest] = *x
	s.newest = (s.newest + 1) % uint8(len(s.recent))
	if seg.Length == 0 || seg.Has(packet.RST) {
		return
	}
	at, like, end := uint32(x.at/1000), alike(seg), seg.Seq+seg.Space()
	for i := range s.runs {
		r := &s.runs[i]
		if r.where == x.where && r.like == like && r.to == seg.Seq && r.near(at) {
			r.at, r.to = at, end
			return
		}
	}
	s.runs[1], s.runs[0] = s.runs[0], run{at, x.where, like, seg.Seq, end}
}

func (r *run) near(at uint32) bool {
	ago := int32(at - r.at)
	return max(ago, -ago) <= copied/1000
}
