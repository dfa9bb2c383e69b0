package packet

import "encoding/binary"

// Addr is an address: IPv4 is in the first 4 bytes.
type Addr [16]byte

// The flags of a segment.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Segment is a TCP segment, as far as it was captured.
type Segment struct {
	Src, Dst         Addr
	SrcPort, DstPort uint16
	V6               bool
	// TTL, or hop limit.
	TTL uint8
	// Interface distinguishes those on which the capture was taken.
	Interface uint32
	// Place distinguishes captures that are read together.
	Place uint16
	// ID is the identification of IPv4; HasID is false with IPv6.
	ID    uint16
	HasID bool

	Seq, Ack uint32
	Flags    uint8
	Window   uint16
	// Length is that of the payload on the wire; Payload is what was captured of it.
	Length  uint32
	Payload []byte
	Options Options
	// Checksum is that of TCP, of RSTs and of segments without data that were captured whole.
	Checksum Checksum
}

// Checksum says whether one is right.
type Checksum uint8

// What a checksum may be.
const (
	ChecksumUnknown Checksum = iota // not captured, or not looked at
	ChecksumRight
	ChecksumWrong
)

// sum looks at the checksum of a segment that was captured whole (RFC 9293, section 3.1).
func (s *Segment) sum(b []byte) Checksum {
	total := uint64(protoTCP) + uint64(len(b))
	add := func(b []byte) {
		for ; len(b) >= 2; b = b[2:] {
			total += uint64(binary.BigEndian.Uint16(b))
		}
		if len(b) == 1 {
			total += uint64(b[0]) << 8
		}
	}
	add(s.Src[:])
	add(s.Dst[:])
	add(b)
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	if total == 0xffff {
		return ChecksumRight
	}
	return ChecksumWrong
}

// Options are those of TCP that are read. Whole is false if the capture lacks some of
// them.
type Options struct {
	Whole  bool
	MSS    uint16 // 0: none
	Scale  uint8  // of the window, plus 1; 0: none
	HasTS  bool
	TS     uint32
	SACKed bool // some bytes were selectively acknowledged
}

// Has reports whether all of flags are set.
func (s *Segment) Has(flags uint8) bool { return s.Flags&flags == flags }

// Space is how many sequence numbers the segment takes.
func (s *Segment) Space() uint32 {
	n := s.Length
	if s.Flags&SYN != 0 {
		n++
	}
	if s.Flags&FIN != 0 {
		n++
	}
	return n
}

const tcpHeader = 20

// tcp reads a segment of so many bytes on the wire.
func (d *Decoder) tcp(b []byte, length int, s *Segment) Kind {
	if len(b) < tcpHeader {
		return Short
	}
	header := int(b[12]>>4) * 4
	if header < tcpHeader || header > length {
		return Malformed
	}
	s.SrcPort, s.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	s.Seq, s.Ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	s.Flags, s.Window = b[13], binary.BigEndian.Uint16(b[14:])
	s.Length = uint32(length - header)
	s.Options = Options{Whole: len(b) >= header}
	if header > tcpHeader {
		s.Options.read(b[tcpHeader:min(header, len(b))])
	}
	s.Payload = b[min(header, len(b)):min(length, len(b))]
	if s.Checksum = ChecksumUnknown; (s.Flags&RST != 0 || s.Length == 0) && len(b) >= length {
		s.Checksum = s.sum(b[:length])
	}
	return TCP
}

// The kinds of options (RFC 9293, 7323, 2018).
const (
	optEnd, optNop, optMSS, optScale = 0, 1, 2, 3
	optSACK, optTS                   = 5, 8
)

func (o *Options) read(b []byte) {
	if len(b) == 12 && b[0] == optNop && b[1] == optNop && b[2] == optTS && b[3] == 10 { // of nearly all segments
		o.HasTS, o.TS = true, binary.BigEndian.Uint32(b[4:])
		return
	}
	for len(b) > 0 && b[0] != optEnd {
		if b[0] == optNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		value := b[2:b[1]]
		switch {
		case b[0] == optMSS && len(value) == 2:
			o.MSS = binary.BigEndian.Uint16(value)
		case b[0] == optScale && len(value) == 1:
			o.Scale = min(value[0], 14) + 1
		case b[0] == optTS && len(value) == 8:
			o.HasTS, o.TS = true, binary.BigEndian.Uint32(value)
		case b[0] == optSACK && len(value) > 0:
			o.SACKed = true
		}
		b = b[b[1]:]
	}
}
