package etl

import (
	"encoding/binary"
	"errors"
	"io"
)

var (
	errCompressed = errors.New("compressed data are damaged")
	errTooLong    = errors.New("compressed data are longer than their buffer")
)

const (
	// history is how far back a match reaches: 13 bits.
	history = 8 << 10
	// longestToken is the most that one step reads: flags, match, and the four
	// places that its length can go on in.
	longestToken = 4 + 2 + 1 + 1 + 2 + 4
)

// unpacker undoes the plain LZ77 compression of [MS-XCA] section 2.4.4, with
// which Windows 8 and later compress trace buffers, while it is read: a few
// bytes can stand for 16 MB. It is an [io.Reader].
type unpacker struct {
	source io.Reader
	// in[pos:] are compressed bytes that were read from source; drained says
	// that no more follow.
	in      []byte
	pos     int
	drained bool
	// out is the history, and behind read what is to be delivered.
	out  []byte
	read int
	// left is how many bytes may still come.
	left int
	// offset and length are what is left of a match.
	offset, length int
	flags          uint32
	bits           uint
	// half is the byte whose upper half is the length of the next long match, or -1.
	half int
	err  error
}

// reset begins with the first size bytes of what source unpacks to.
func (u *unpacker) reset(source io.Reader, size int) {
	*u = unpacker{source: source, in: u.in[:0], out: u.out[:0], left: size, half: -1}
	if cap(u.in) == 0 {
		u.in, u.out = make([]byte, 0, 4<<10), make([]byte, 0, 2*history)
	}
}

// Read implements [io.Reader].
func (u *unpacker) Read(p []byte) (int, error) {
	if u.read == len(u.out) && u.err == nil {
		if old := len(u.out) - history; old > 0 {
			u.out = u.out[:copy(u.out, u.out[old:])]
		}
		u.read = len(u.out)
		u.err = u.unpack()
	}
	n := copy(p, u.out[u.read:])
	u.read += n
	if n == 0 && len(p) > 0 {
		return 0, u.err
	}
	return n, nil
}

// unpack fills out.
func (u *unpacker) unpack() error {
	for len(u.out) < cap(u.out) {
		switch {
		case u.left == 0 && u.length > 0:
			return errTooLong
		case u.left == 0:
			return io.EOF
		case u.length > 0:
			u.repeat()
			continue
		}
		if err := u.step(); err != nil {
			return err
		}
	}
	return nil
}

// step takes one byte, or the begin of a match.
func (u *unpacker) step() error {
	if err := u.fill(); err != nil {
		return err
	}
	if u.bits == 0 {
		flags, ok := u.number(4)
		if !ok {
			return io.EOF
		}
		u.flags, u.bits = flags, 32
	}
	u.bits--
	if u.pos == len(u.in) {
		return io.EOF
	}
	if u.flags>>u.bits&1 == 0 {
		u.out = append(u.out, u.in[u.pos])
		u.pos++
		u.left--
		return nil
	}
	if ok := u.match(); !ok || u.offset > len(u.out) {
		return errCompressed
	}
	return nil
}

// fill makes room for the longest step.
func (u *unpacker) fill() error {
	for !u.drained && len(u.in)-u.pos < longestToken {
		u.in = u.in[:copy(u.in, u.in[u.pos:])]
		u.pos = 0
		n, err := u.source.Read(u.in[len(u.in):cap(u.in)])
		u.in = u.in[:len(u.in)+n]
		if u.drained = errors.Is(err, io.EOF); err != nil && !u.drained {
			return err
		}
	}
	return nil
}

// repeat appends of the match what there is room for; it may overlap with what
// is appended.
func (u *unpacker) repeat() {
	from := len(u.out) - u.offset
	n := min(u.length, u.offset, cap(u.out)-len(u.out), u.left)
	u.out = append(u.out, u.out[from:from+n]...)
	u.length -= n
	u.left -= n
}

// match reads one match. Lengths that do not fit into 3 bits go on in half a
// byte, then in a byte, then in 16 and 32 bits.
func (u *unpacker) match() (ok bool) {
	v, ok := u.number(2)
	if !ok {
		return false
	}
	u.offset, u.length = int(v>>3)+1, int(v&7)+3
	if u.length < 7+3 {
		return true
	}
	var more int
	if u.half >= 0 {
		more, u.half = u.half>>4, -1
	} else {
		v, ok = u.number(1)
		more, u.half = int(v&15), int(v)
	}
	if ok && more == 15 {
		more, ok = u.long()
	}
	u.length += more
	return ok
}

func (u *unpacker) long() (length int, ok bool) {
	v, ok := u.number(1)
	if !ok || v < 255 {
		return int(v) + 15, ok
	}
	if v, ok = u.number(2); ok && v == 0 {
		v, ok = u.number(4)
	}
	if !ok || v < 15+7 || v > maxBuffer {
		return 0, false
	}
	return int(v) - 7, true
}

func (u *unpacker) number(size int) (uint32, bool) {
	if len(u.in)-u.pos < size {
		return 0, false
	}
	b := u.in[u.pos:]
	u.pos += size
	switch size {
	case 1:
		return uint32(b[0]), true
	case 2:
		return uint32(binary.LittleEndian.Uint16(b)), true
	default:
		return binary.LittleEndian.Uint32(b), true
	}
}
