package flow

import "github.com/closetrace/closetrace/wire/internal/packet"

// Stuck is what a side has sent again since anything of it was last acknowledged.
type Stuck struct {
	// Tries are how often it did, Since is when first, Least the fewest bytes.
	Tries, Least uint32
	Since        int64
}

func (x *Stuck) again(length uint32, now int64) {
	if x.Tries == 0 {
		x.Since, x.Least = now, length
	}
	x.Tries++
	x.Least = min(x.Least, length)
}

// StuckSide returns the side that at now was still sending the same again, for a second or
// longer; -1 if neither was.
func (c *Conn) StuckSide(now int64) int {
	const enough = 3
	for i := range c.Sides {
		s := &c.Sides[i]
		if s.Stuck.Tries >= enough && now-s.Stuck.Since >= second && now <= s.TriedAt+min(2*s.Gap, mostTries)+second {
			return i
		}
	}
	return -1
}

// OnlyFull reports whether all that side i sent again were segments of the full size, though
// data of it had been acknowledged.
func (c *Conn) OnlyFull(i int) bool {
	s := &c.Sides[i]
	size := uint32(min(s.MSS, c.Sides[1-i].MSS))
	return size > 0 && s.Stuck.Least >= size-size/8 && s.Bytes > s.Unacked() // time stamps are within that eighth
}

// once is a time shorter than that of any timer that sends again (Linux: 200 ms).
const once = 100e6

// timeouts returns tries, unless all came at once: what was lost in one go is sent again in
// one go.
func (s *Side) timeouts(tries uint32) uint32 {
	if s.TriedAt-s.StalledAt < once {
		return 0
	}
	return tries
}

// Trying: at now it had been sending the same again for as long as a timer takes, or probing
// a closed window, so that it may have given up.
func (s *Side) Trying(now int64) bool {
	return s.Stuck.Tries > 0 && now-s.Stuck.Since >= once || s.Closed.Probes > 0
}

// sentFull notes where the first segment of the full size ended; size is 0 if not known.
func (s *Side) sentFull(seg *packet.Segment, size uint32) {
	if s.full == 0 && size > 0 && seg.Length >= size {
		s.full = seg.Seq + size
	}
}

// Size is the payload of a full segment of c, 0 if not known. Time stamps take some of it.
func (c *Conn) Size() uint32 {
	const stamp = 12
	size := uint32(min(c.Sides[0].MSS, c.Sides[1].MSS))
	if c.Sides[0].Looks.HasTS && c.Sides[1].Looks.HasTS && size > stamp {
		size -= stamp
	}
	return size
}

// FullAcked reports whether a segment of the full size was acknowledged; sent is false if
// there was none.
func (s *Side) FullAcked() (acked, sent bool) {
	return s.hasUna && !after(s.full, s.una), s.full != 0
}
