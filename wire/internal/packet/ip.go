package packet

import "encoding/binary"

// The protocols that are read.
const (
	protoHop      = 0
	protoICMP     = 1
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoAH       = 51
	protoICMP6    = 58
	protoOptions  = 60
	protoMobility = 135
)

// ip reads a packet of either version.
func (d *Decoder) ip(b []byte, length int, s *Segment) Kind {
	switch {
	case len(b) == 0:
		return Short
	case !d.deeper():
		return Malformed
	case b[0]>>4 == 4:
		return d.ipv4(b, length, s)
	case b[0]>>4 == 6:
		return d.ipv6(b, length, s)
	default:
		return Other
	}
}

func (d *Decoder) ipv4(b []byte, length int, s *Segment) Kind {
	const least = 20
	if len(b) < least {
		return Short
	}
	header, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 || total > length { // the network card was to split it; or it is wrong
		total = length
	}
	if header < least || total < header {
		return Malformed
	}
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return Fragment
	}
	s.Src, s.Dst, s.V6 = Addr{}, Addr{}, false
	copy(s.Src[:4], b[12:])
	copy(s.Dst[:4], b[16:])
	s.TTL, s.ID, s.HasID = b[8], binary.BigEndian.Uint16(b[4:]), true
	protocol := b[9]
	b = b[:min(len(b), total)] // padding may follow
	b, length, ok := after(b, total, header)
	if !ok {
		return Short
	}
	return d.content(protocol, b, length, s)
}

func (d *Decoder) ipv6(b []byte, length int, s *Segment) Kind {
	const header = 40
	if len(b) < header {
		return Short
	}
	total := int(binary.BigEndian.Uint16(b[4:]))
	if total == 0 { // a jumbogram, or the network card was to split it
		total = max(length-header, 0)
	}
	total = min(total, max(length-header, 0))
	s.V6, s.TTL, s.ID, s.HasID = true, b[7], 0, false
	copy(s.Src[:], b[8:])
	copy(s.Dst[:], b[24:])
	protocol := b[6]
	b, length = b[header:min(len(b), header+total)], total
	for {
		next := protocol
		size := 0
		switch protocol {
		case protoHop, protoRouting, protoOptions, protoMobility, protoAH, protoFragment:
			if len(b) < 8 {
				return Short
			}
			next, size = b[0], int(b[1])*8+8
		default:
			return d.content(protocol, b, length, s)
		}
		switch {
		case protocol == protoAH:
			size = int(b[1])*4 + 8
		case protocol == protoFragment && binary.BigEndian.Uint16(b[2:])&^6 != 0:
			return Fragment
		case protocol == protoFragment:
			size = 8
		}
		var ok bool
		if b, length, ok = after(b, length, size); !ok {
			return Short
		}
		if protocol = next; !d.deeper() {
			return Malformed
		}
	}
}

// content reads what an IP packet carries.
func (d *Decoder) content(protocol uint8, b []byte, length int, s *Segment) Kind {
	switch protocol {
	case protoTCP:
		return d.tcp(b, length, s)
	case protoIPv4, protoIPv6:
		return d.ip(b, length, s)
	case protoGRE:
		return d.gre(b, length, s)
	case protoUDP:
		return d.udp(b, length, s)
	case protoAH:
		if len(b) < 8 {
			return Short
		}
		next := b[0]
		b, length, ok := after(b, length, int(b[1])*4+8)
		if !ok || !d.deeper() {
			return Malformed
		}
		return d.content(next, b, length, s)
	case protoICMP, protoICMP6:
		return d.icmp(protocol == protoICMP6, b, length)
	default:
		return Other
	}
}

// icmp reads errors: they have the beginning of the packet that did not arrive. One that
// asks for smaller packets (RFC 1191), or misses fragments, ends no attempt.
func (d *Decoder) icmp(v6 bool, b []byte, length int) Kind {
	const unreachable, tooBig, exceeded, unreachable6, exceeded6 = 3, 4, 11, 1, 3
	b, length, ok := b, length, len(b) >= 8
	if !ok {
		return Short
	}
	d.Type, d.Code = b[0], b[1]
	switch {
	case v6 && (d.Type == unreachable6 || d.Type == exceeded6 && d.Code == 0):
	case !v6 && (d.Type == unreachable && d.Code != tooBig || d.Type == exceeded && d.Code == 0):
	default:
		return Other
	}
	b, length, ok = after(b, length, 8)
	if !ok {
		return Short
	}
	header, is := quotedHeader(b, v6)
	switch ports := header + 4; {
	case !is || length < ports:
		return Other
	case len(b) < ports:
		return Short
	}
	return d.quoted(b, b[header:], v6)
}

// quotedHeader returns the length of the IP header in a quoted packet, and whether that is
// the beginning of TCP, or may be if more had been captured.
func quotedHeader(b []byte, v6 bool) (header int, is bool) {
	const least4, least6, protocol4, protocol6 = 20, 40, 9, 6
	switch {
	case len(b) == 0:
		return least4, true
	case v6 != (b[0]>>4 == 6):
		return 0, false
	case v6:
		return least6, len(b) <= protocol6 || b[protocol6] == protoTCP
	case len(b) <= protocol4:
		return least4, true
	default:
		header = int(b[0]&0x0f) * 4
		return header, header >= least4 && b[protocol4] == protoTCP && binary.BigEndian.Uint16(b[6:])&0x1fff == 0
	}
}

// quoted takes the ports and the number of what was quoted: RFC 792 has 8 bytes of TCP's
// header. The number may not have been captured.
func (d *Decoder) quoted(ip, tcp []byte, v6 bool) Kind {
	s := &d.Inner
	*s = Segment{V6: v6}
	if v6 {
		copy(s.Src[:], ip[8:])
		copy(s.Dst[:], ip[24:40])
	} else {
		copy(s.Src[:4], ip[12:])
		copy(s.Dst[:4], ip[16:])
	}
	s.SrcPort, s.DstPort = binary.BigEndian.Uint16(tcp), binary.BigEndian.Uint16(tcp[2:])
	if d.Numbered = len(tcp) >= 8; d.Numbered {
		s.Seq = binary.BigEndian.Uint32(tcp[4:])
	}
	return ICMPError
}
