package lab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// TCP flags, as in the header.
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// sequences returns the next sequence number that k sends and the next that
// it expects.
func (k *sock) sequences() (send, receive uint32) {
	p := k.do(request{Op: "sequence", FD: k.fd})
	return p.Seq[0], p.Seq[1]
}

// onlyForged drops every segment to k but those that the script forges.
func (k *sock) onlyForged() {
	netOffset := int(int32(-0x100000)) // SKF_NET_OFF: the IP header
	k.filter(
		unix.BPF_LD|unix.BPF_B|unix.BPF_ABS, 0, 0, netOffset+8, // time to live
		unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, forgedTTL,
		unix.BPF_RET, 0, 0, 0xffff,
		unix.BPF_RET, 0, 0, 0,
	)
}

// forge sends a segment to k as if it came from k's peer, IPv4 only.
func (k *sock) forge(flags byte, seq, ack uint32) {
	k.stage.sendRaw(unix.IPPROTO_TCP, unmap(k.peer), unmap(k.local),
		tcpSegment(unmap(k.peer), unmap(k.local), flags, seq, ack, 0))
}

// forgeData sends n bytes to k in the same way.
func (k *sock) forgeData(seq, ack uint32, n int) {
	k.stage.sendRaw(unix.IPPROTO_TCP, k.peer, k.local, tcpSegment(k.peer, k.local, flagACK, seq, ack, n))
}

// sendRaw sends payload in an IPv4 packet that is marked as forged.
func (s *stage) sendRaw(protocol byte, from, to netip.AddrPort, payload []byte) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	s.check("open raw socket", err)
	defer unix.Close(fd)
	packet := append(ipv4Header(protocol, from.Addr(), to.Addr(), len(payload)), payload...)
	s.check("send raw packet", unix.Sendto(fd, packet, 0, sockaddr(netip.AddrPortFrom(to.Addr(), 0))))
}

// ipv4Header leaves out what the kernel fills in: length and checksum.
func ipv4Header(protocol byte, from, to netip.Addr, payload int) []byte {
	header := make([]byte, 20, 20+payload)
	header[0], header[1], header[8], header[9] = 4<<4|5, 0, forgedTTL, protocol
	binary.BigEndian.PutUint16(header[2:], uint16(20+payload))
	copy(header[12:], from.AsSlice())
	copy(header[16:], to.AsSlice())
	return header
}

// tcpSegment returns a segment with payload zero bytes.
func tcpSegment(from, to netip.AddrPort, flags byte, seq, ack uint32, payload int) []byte {
	b := make([]byte, 20+payload)
	binary.BigEndian.PutUint16(b[0:], from.Port())
	binary.BigEndian.PutUint16(b[2:], to.Port())
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[8:], ack)
	b[12], b[13] = 5<<4, flags
	binary.BigEndian.PutUint16(b[14:], 0xffff)
	var pseudo []byte
	pseudo = append(pseudo, from.Addr().AsSlice()...)
	pseudo = append(pseudo, to.Addr().AsSlice()...)
	pseudo = append(pseudo, 0, unix.IPPROTO_TCP, 0, byte(len(b)))
	binary.BigEndian.PutUint16(b[16:], checksum(append(pseudo, b...)))
	return b
}

// ICMP codes of type 3, destination unreachable.
const (
	icmpHost = 1
	icmpPort = 3
)

// forgeUnreachable tells k that the segment with that sequence number could
// not be delivered, IPv4 only.
func (k *sock) forgeUnreachable(code byte, seq uint32) {
	lost := append(ipv4Header(unix.IPPROTO_TCP, k.local.Addr(), k.peer.Addr(), 20),
		tcpSegment(k.local, k.peer, flagACK, seq, 0, 0)...)
	message := append([]byte{3, code, 0, 0, 0, 0, 0, 0}, lost...)
	binary.BigEndian.PutUint16(message[2:], checksum(message))
	k.stage.sendRaw(unix.IPPROTO_ICMP, k.peer, k.local, message)
}

// checksum is RFC 1071's.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
