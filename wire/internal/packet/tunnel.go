package packet

import "encoding/binary"

// The ports of tunnels over UDP. Linux's own of VXLAN is older than IANA's.
const (
	portVXLAN      = 4789
	portVXLANLinux = 8472
	portGeneve     = 6081
	portGTP        = 2152
)

// udp reads tunnels: to their port, from whatever port.
func (d *Decoder) udp(b []byte, length int, s *Segment) Kind {
	if len(b) < 4 {
		return Short
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch port {
	case portVXLAN, portVXLANLinux, portGeneve, portGTP:
	default:
		return Other
	}
	b, length, ok := after(b, length, 8)
	if !ok || !d.deeper() {
		return Short
	}
	if len(b) < 8 {
		return Short
	}
	if port == portGTP {
		return d.gtp(b, length, s)
	}
	if port == portGeneve { // RFC 8926
		size := 8 + int(b[0]&0x3f)*4
		if b[0]>>6 != 0 {
			return Other
		}
		return d.tagged(b, length, size, 2, s)
	}
	if b[0]&0x08 == 0 { // RFC 7348: a valid VNI
		return Other
	}
	b, length, ok = after(b, length, 8)
	if !ok {
		return Short
	}
	return d.ethernet(b, length, s)
}

// gtp reads what mobile networks carry of a subscriber (3GPP TS 29.281, 5.1).
func (d *Decoder) gtp(b []byte, length int, s *Segment) Kind {
	const version1, optional, extended, data = 0x30, 0x07, 0x04, 0xff
	if b[0]&0xf0 != version1 || b[1] != data {
		return Other
	}
	size, next := 8, uint8(0)
	if b[0]&optional != 0 {
		if size = 12; len(b) < size {
			return Short
		}
		if b[0]&extended != 0 {
			next = b[11]
		}
	}
	for next != 0 {
		if len(b) <= size {
			return Short
		}
		end := size + int(b[size])*4
		if end == size || !d.deeper() {
			return Malformed
		}
		if len(b) < end {
			return Short
		}
		size, next = end, b[end-1]
	}
	return d.skip(b, length, size, s)
}

// gre reads what GRE carries (RFC 2784, 2890), and ERSPAN, which mirrors Ethernet.
func (d *Decoder) gre(b []byte, length int, s *Segment) Kind {
	const erspan1, erspan3 = 0x88be, 0x22eb
	if len(b) < 4 || !d.deeper() {
		return Short
	}
	flags, kind := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if flags&7 != 0 { // version 1 is PPTP's
		return Other
	}
	size := 4
	for _, flag := range []uint16{0x8000, 0x2000, 0x1000} { // checksum, key, sequence number
		if flags&flag != 0 {
			size += 4
		}
	}
	numbered := flags&0x1000 != 0
	b, length, ok := after(b, length, size)
	if !ok {
		return Short
	}
	mirror := 0
	switch {
	case kind == erspan3:
		mirror = 12
		if len(b) >= 12 && b[11]&1 != 0 {
			mirror = 20
		}
	case kind == erspan1 && numbered:
		mirror = 8
	case kind != erspan1:
		return d.ether(kind, b, length, s)
	}
	b, length, ok = after(b, length, mirror)
	if !ok {
		return Short
	}
	return d.ethernet(b, length, s)
}
