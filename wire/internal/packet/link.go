package packet

import (
	"bytes"
	"encoding/binary"
)

// The link types that are read (https://www.tcpdump.org/linktypes.html).
const (
	linkNull      = 0
	linkEthernet  = 1
	linkPPP       = 9
	linkRawBSD    = 12
	linkRawOpen   = 14
	linkPPPHDLC   = 50
	linkPPPoE     = 51
	linkRaw       = 101
	linkHDLC      = 104
	linkWireless  = 105
	linkLoop      = 108
	linkCooked    = 113
	linkPrism     = 119
	linkRadiotap  = 127
	linkPktapUser = 149
	linkAVS       = 163
	linkPPI       = 192
	linkIPv4      = 228
	linkIPv6      = 229
	linkIPoIB     = 242
	linkPktap     = 258
	linkCooked2   = 276
)

// The types of Ethernet's content.
const (
	etherIPv4   = 0x0800
	etherVLAN   = 0x8100
	etherIPv6   = 0x86dd
	etherMPLS   = 0x8847
	etherPPPoE  = 0x8864
	etherQinQ   = 0x88a8
	etherOld    = 0x9100
	etherBridge = 0x6558 // Ethernet in GRE and Geneve
)

func (d *Decoder) link(link uint16, b []byte, length int, s *Segment) Kind {
	switch link {
	case linkEthernet:
		return d.ethernet(b, length, s)
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		return d.ip(b, length, s)
	case linkCooked:
		if len(b) >= 2 { // what goes out does so by another interface than it came in
			const outgoing = 4
			d.Interface = 1
			if binary.BigEndian.Uint16(b) == outgoing {
				d.Interface = 2
			}
		}
		return d.tagged(b, length, 16, 14, s)
	case linkCooked2:
		if len(b) >= 8 {
			d.Interface = binary.BigEndian.Uint32(b[4:])
		}
		return d.tagged(b, length, 20, 0, s)
	case linkNull, linkLoop: // the family's number is another one on each system: the version tells
		return d.skip(b, length, 4, s)
	case linkPPP, linkPPPHDLC:
		return d.ppp(b, length, s)
	case linkPPPoE:
		return d.pppoe(b, length, s)
	case linkIPoIB: // InfiniBand's pseudo header, then RFC 4391's
		return d.tagged(b, length, 44, 40, s)
	case linkHDLC:
		return d.tagged(b, length, 4, 2, s)
	case linkPktap, linkPktapUser:
		return d.pktap(b, length, s)
	case linkWireless, linkPrism, linkRadiotap, linkAVS, linkPPI:
		return Wireless
	default:
		return UnknownLink
	}
}

// skip skips a header that IP follows.
func (d *Decoder) skip(b []byte, length, n int, s *Segment) Kind {
	b, length, ok := after(b, length, n)
	if !ok {
		return Short
	}
	return d.ip(b, length, s)
}

// tagged skips a header of n bytes that has an EtherType at a place.
func (d *Decoder) tagged(b []byte, length, n, at int, s *Segment) Kind {
	rest, length, ok := after(b, length, n)
	if !ok {
		return Short
	}
	return d.ether(binary.BigEndian.Uint16(b[at:]), rest, length, s)
}

func (d *Decoder) ethernet(b []byte, length int, s *Segment) Kind {
	return d.tagged(b, length, 14, 12, s)
}

// ether reads the content of an EtherType.
func (d *Decoder) ether(kind uint16, b []byte, length int, s *Segment) Kind {
	switch kind {
	case etherIPv4, etherIPv6:
		return d.ip(b, length, s)
	case etherVLAN, etherQinQ, etherOld:
		if !d.deeper() {
			return Malformed
		}
		return d.tagged(b, length, 4, 2, s)
	case etherPPPoE:
		return d.pppoe(b, length, s)
	case etherMPLS:
		return d.mpls(b, length, s)
	case etherBridge:
		if !d.deeper() {
			return Malformed
		}
		return d.ethernet(b, length, s)
	default:
		return Other
	}
}

// mpls skips labels; IP is assumed after the last one.
func (d *Decoder) mpls(b []byte, length int, s *Segment) Kind {
	for d.deeper() {
		rest, restLength, ok := after(b, length, 4)
		if !ok {
			return Short
		}
		if b[2]&1 != 0 {
			return d.ip(rest, restLength, s)
		}
		b, length = rest, restLength
	}
	return Malformed
}

func (d *Decoder) pppoe(b []byte, length int, s *Segment) Kind {
	b, length, ok := after(b, length, 6)
	if !ok {
		return Short
	}
	return d.ppp(b, length, s)
}

// ppp reads a frame with or without address and control, and with a protocol of one
// or two bytes (RFC 1661, 1662).
func (d *Decoder) ppp(b []byte, length int, s *Segment) Kind {
	if len(b) >= 2 && (b[0] == 0xff || b[0] == 0x0f || b[0] == 0x8f) && length >= 2 {
		if b[0] != 0xff { // Cisco HDLC
			return d.tagged(b, length, 4, 2, s)
		}
		b, length = b[2:], length-2
	}
	const ipv4, ipv6, labels = 0x21, 0x57, 0x0281 // MPLS: RFC 3032
	switch {
	case len(b) < 2:
		return Short
	case b[0] == ipv4, b[0] == ipv6:
		return d.skip(b, length, 1, s)
	case b[0] == 0 && (b[1] == ipv4 || b[1] == ipv6):
		return d.skip(b, length, 2, s)
	case binary.BigEndian.Uint16(b) == labels && length >= 2:
		return d.mpls(b[2:], length-2, s)
	default:
		return Other
	}
}

// pktap reads Apple's header, which names the process (bsd/net/pktap.h of XNU).
func (d *Decoder) pktap(b []byte, length int, s *Segment) Kind {
	const pidAt, nameAt, nameEnd = 52, 56, 72
	if len(b) < nameEnd {
		return Short
	}
	size, link := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
	if size < nameEnd || size > 1<<12 || link == linkPktap || link == linkPktapUser || link > 0xffff {
		return Malformed
	}
	if pid := int32(binary.LittleEndian.Uint32(b[pidAt:])); pid > 0 {
		name, _, _ := bytes.Cut(b[nameAt:nameEnd], []byte{0})
		d.Process = Process{int(pid), string(name)}
	}
	rest, restLength, ok := after(b, length, int(size))
	if !ok {
		return Short
	}
	return d.link(uint16(link), rest, restLength, s)
}
