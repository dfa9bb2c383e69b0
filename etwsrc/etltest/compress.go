package etltest

import "encoding/binary"

// Compress is a simple plain LZ77 compressor ([MS-XCA] section 2.3.4): greedy,
// with the last place of each 3 bytes.
func Compress(in []byte) []byte {
	c := compressor{half: -1}
	last := map[[3]byte]int{}
	for i := 0; i < len(in); {
		length, offset := 0, 0
		if i+3 <= len(in) {
			key := [3]byte(in[i:])
			if at, ok := last[key]; ok && i-at <= 8192 {
				offset = i - at
				for i+length < len(in) && in[at+length] == in[i+length] {
					length++
				}
			}
			last[key] = i
		}
		c.flag(length >= 3)
		if length < 3 {
			c.out = append(c.out, in[i])
			i++
			continue
		}
		c.match(offset, length)
		i += length
	}
	c.flag(true) // the end: a match where the input ends
	if c.bits > 0 {
		c.flags = c.flags<<(32-c.bits) | (1<<(32-c.bits) - 1)
		binary.LittleEndian.PutUint32(c.out[c.at:], c.flags)
	}
	return c.out
}

type compressor struct {
	out   []byte
	at    int
	flags uint32
	bits  int
	half  int
}

func (c *compressor) flag(match bool) {
	if c.bits == 0 {
		c.at = len(c.out)
		c.out = append(c.out, 0, 0, 0, 0)
	}
	c.flags <<= 1
	if match {
		c.flags |= 1
	}
	if c.bits++; c.bits == 32 {
		binary.LittleEndian.PutUint32(c.out[c.at:], c.flags)
		c.bits, c.flags = 0, 0
	}
}

func (c *compressor) match(offset, length int) {
	le := binary.LittleEndian
	length -= 3
	c.out = le.AppendUint16(c.out, uint16(offset-1)<<3|uint16(min(length, 7)))
	if length < 7 {
		return
	}
	length -= 7
	nibble := byte(min(length, 15))
	if c.half >= 0 {
		c.out[c.half] |= nibble << 4
		c.half = -1
	} else {
		c.half = len(c.out)
		c.out = append(c.out, nibble)
	}
	if length < 15 {
		return
	}
	length -= 15
	if length < 255 {
		c.out = append(c.out, byte(length))
		return
	}
	length += 15 + 7
	c.out = append(c.out, 255)
	if length < 1<<16 {
		c.out = le.AppendUint16(c.out, uint16(length))
		return
	}
	c.out = append(c.out, 0, 0)
	c.out = le.AppendUint32(c.out, uint32(length))
}
