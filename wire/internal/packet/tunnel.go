package packet

import "encoding/binary"

// The ports of tunnels over UDP. Linux's own of VXLAN is older than IANA's.
const (
	portVXLAN      = 4789
	portVXLANLinux = 8472
	portGeneve     = 6081
)

// udp reads tunnels: to their port, from whatever port.
func (d *Decoder) udp(b []byte, length int, s *Segment) Kind {
	if len(b) < 4 {
		return Short
	}
	port := binary.BigEndian.Uint16(b[2:])
	if port != portVXLAN && port != portVXLANLinux && port != portGeneve {
		return Other
	}
	b, length, ok := after(b, length, 8)
	if !ok || !d.deeper() {
		return Short
	}
	if len(b) < 8 {
		return Short
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
