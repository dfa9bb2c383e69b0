package etl

import (
	"encoding/binary"
	"errors"
)

var (
	errCompressed = errors.New("compressed data are damaged")
	errTooLong    = errors.New("compressed data are longer than their buffer")
)

// decompress undoes the plain LZ77 compression of [MS-XCA] section 2.4.4, with
// which Windows 8 and later compress trace buffers. It appends to out at most
// until out has limit bytes; full tells it to stop there without an error.
func decompress(out, in []byte, limit int, full bool) ([]byte, error) {
	d := lz77{in: in, half: -1}
	for {
		if d.bits == 0 {
			if len(d.in)-d.pos < 4 {
				return out, nil
			}
			d.flags, d.bits = binary.LittleEndian.Uint32(d.in[d.pos:]), 32
			d.pos += 4
		}
		d.bits--
		if d.pos == len(d.in) {
			return out, nil
		}
		offset, length := 0, 1
		if d.flags>>d.bits&1 != 0 {
			var ok bool
			if offset, length, ok = d.match(); !ok || offset > len(out) {
				return out, errCompressed
			}
		}
		if room := limit - len(out); length > room {
			if !full {
				return out, errTooLong
			}
			length = room
		}
		if offset == 0 {
			out = append(out, d.in[d.pos:d.pos+length]...)
			d.pos++
		} else {
			out = repeat(out, offset, length)
		}
		if full && len(out) == limit {
			return out, nil
		}
	}
}

// repeat appends length bytes from offset before the end; they may overlap
// with what is appended.
func repeat(out []byte, offset, length int) []byte {
	for length > 0 {
		from := len(out) - offset
		n := min(length, offset)
		out = append(out, out[from:from+n]...)
		length -= n
	}
	return out
}

type lz77 struct {
	in    []byte
	pos   int
	flags uint32
	bits  uint
	// half is where a byte lies whose upper half is the length of the next
	// long match, or -1.
	half int
}

// match reads one match. Lengths that do not fit into 3 bits go on in half a
// byte, then in a byte, then in 16 and 32 bits.
func (d *lz77) match() (offset, length int, ok bool) {
	v, ok := d.number(2)
	if !ok {
		return 0, 0, false
	}
	offset, length = int(v>>3)+1, int(v&7)
	if length < 7 {
		return offset, length + 3, true
	}
	if d.half >= 0 {
		length = int(d.in[d.half] >> 4)
		d.half = -1
	} else {
		d.half = d.pos
		v, ok = d.number(1)
		length = int(v & 15)
	}
	if ok && length == 15 {
		length, ok = d.long()
	}
	return offset, length + 7 + 3, ok
}

func (d *lz77) long() (length int, ok bool) {
	v, ok := d.number(1)
	if !ok || v < 255 {
		return int(v) + 15, ok
	}
	if v, ok = d.number(2); ok && v == 0 {
		v, ok = d.number(4)
	}
	if !ok || v < 15+7 || v > maxBuffer {
		return 0, false
	}
	return int(v) - 7, true
}

func (d *lz77) number(size int) (uint32, bool) {
	if len(d.in)-d.pos < size {
		return 0, false
	}
	b := d.in[d.pos:]
	d.pos += size
	switch size {
	case 1:
		return uint32(b[0]), true
	case 2:
		return uint32(binary.LittleEndian.Uint16(b)), true
	default:
		return binary.LittleEndian.Uint32(b), true
	}
}
