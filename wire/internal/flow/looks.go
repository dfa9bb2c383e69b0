package flow

import "github.com/closetrace/closetrace/wire/internal/packet"

// Looks is what segments of one sender have in common.
type Looks struct {
	Count uint64
	// TTL, TS and Window are those of the last one, SYNs aside; TS came at TSAt.
	TTL    uint8
	HasTS  bool
	TS     uint32
	TSAt   int64
	Window uint16
	IDs    IDs
	widest uint16 // window
	// places are where they were captured: two, if they pass a router that captures.
	places [2]place
	many   bool // and more
	// filled: a checksum is right; unfilled: one is wrong.
	filled, unfilled bool
}

// place is an interface, and the TTL that segments of one sender have there.
type place struct {
	captured bool
	ttl      uint8
	device   uint32
	capture  uint16
}

// IDs are the IP identifications of a sender's segments. Linux counts them for each
// connection, Windows for each destination; others take random ones, or 0.
type IDs struct {
	// Last is the last one, At its time.
	Last  uint16
	At    int64
	count uint32
	step  uint16 // the widest between two
	zero  bool
}

func (x *IDs) add(id uint16, now int64) {
	if x.count > 0 {
		x.step = max(x.step, id-x.Last)
	}
	x.Last, x.At, x.zero = id, now, x.zero || id == 0
	x.count++
}

// counted: they count up.
func (x *IDs) counted() bool {
	const enough, most = 4, 256
	return x.count >= enough && !x.zero && x.step > 0 && x.step <= most
}

// far: id is far from the last one, and soon after it: it comes from another counter. A
// host with one counter for all connections may have advanced it meanwhile.
func (x *IDs) far(id uint16, now int64) bool {
	const soon, far = 1e9, 8192
	return x.counted() && id != 0 && now-x.At < soon && id-x.Last > far && x.Last-id > far
}

func (l *Looks) add(s *packet.Segment, now int64) {
	l.Count++
	l.TTL, l.HasTS = s.TTL, l.HasTS || s.Options.HasTS
	if s.Options.HasTS {
		l.TS, l.TSAt = s.Options.TS, now
	}
	if !s.Has(packet.SYN) { // of which neither is like the others
		l.Window, l.widest = s.Window, max(l.widest, s.Window)
		if s.HasID {
			l.IDs.add(s.ID, now)
		}
	}
	l.filled = l.filled || s.Checksum == packet.ChecksumRight
	l.unfilled = l.unfilled || s.Checksum == packet.ChecksumWrong
	l.captured(s)
}

// captured notes where a segment, or a copy of one, was captured.
func (l *Looks) captured(s *packet.Segment) {
	at := place{true, s.TTL, s.Interface, s.Place}
	for i := range l.places {
		if l.places[i] == at {
			return
		}
		if !l.places[i].captured {
			l.places[i] = at
			return
		}
	}
	l.many = true
}

// in reports whether one was captured there, of several captures.
func (l *Looks) in(capture uint16) bool {
	for _, p := range l.places {
		if p.captured && p.capture == capture {
			return true
		}
	}
	return false
}

// Near reports whether they were captured before any router: with a TTL that hosts start
// with.
func (l *Looks) Near() bool {
	for _, p := range l.places {
		if p.captured && (p.ttl == 32 || p.ttl == 64 || p.ttl == 128 || p.ttl == 255) {
			return true
		}
	}
	return false
}

// stamped reports whether a time stamp is of the sender's clock: between one and a
// million ticks a second (RFC 7323 has up to one thousand, Linux 6.8 a million), and
// not before what it had sent.
func (l *Looks) stamped(ts uint32, now int64) bool {
	const back, ahead = 1000, 100_000
	passed := int32(ts - l.TS)
	return passed >= -back && int64(passed) <= max(now-l.TSAt, 0)/1000+ahead
}
