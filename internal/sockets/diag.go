package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/closetrace/closetrace/model"
)

// The messages of include/uapi/linux/inet_diag.h. They are decoded on every
// platform, so that they are tested on every platform.
const (
	diagRequestSize = 56 // struct inet_diag_req_v2
	diagMessageSize = 72 // struct inet_diag_msg

	attributeInfo     = 2
	attributeMemory   = 7
	attributeShutdown = 8
	attributeCgroup   = 21

	protocolTCP = 6
	protocolUDP = 17
	familyIPv4  = 2  // AF_INET of Linux
	familyIPv6  = 10 // AF_INET6 of Linux

	timerTimeWait = 3
	drops         = 8 // SK_MEMINFO_DROPS
)

// key is how the kernel names a socket: struct inet_diag_sockid and what it
// needs to be looked up.
type key struct {
	family, protocol byte
	id               [48]byte // ports, addresses, interface, cookie, as they came
	netns            uint32
}

// cookie returns the number that names the socket.
func (k *key) cookie() uint64 { return binary.NativeEndian.Uint64(k.id[40:]) }

// request writes a struct inet_diag_req_v2 that asks for one socket, or in a
// dump for all sockets of the family and protocol in the given states.
func (k *key) request(states uint32) []byte {
	b := make([]byte, 8, diagRequestSize)
	b[0], b[1] = k.family, k.protocol
	b[2] = 1<<(attributeInfo-1) | 1<<(attributeMemory-1)
	binary.NativeEndian.PutUint32(b[4:], states)
	return append(b, k.id[:]...)
}

var errShort = errors.New("message too short")

// decodeDiag reads one struct inet_diag_msg with its attributes.
func decodeDiag(b []byte, protocol byte, netns uint32) (Conn, error) {
	if len(b) < diagMessageSize {
		return Conn{}, fmt.Errorf("decode inet_diag_msg of %d bytes, want %d: %w", len(b), diagMessageSize, errShort)
	}
	native := binary.NativeEndian
	c := Conn{key: key{family: b[0], protocol: protocol, netns: netns}, State: model.State(b[1])}
	copy(c.key.id[:], b[4:52])
	c.Network = decodeTuple(&c.key, netns)
	c.Queue = Queue{Receive: native.Uint32(b[56:]), Send: native.Uint32(b[60:])}
	c.Socket = Socket{
		UID: model.Some(native.Uint32(b[64:])), Inode: native.Uint32(b[68:]),
		Interface: native.Uint32(c.key.id[36:]), Cookie: c.key.cookie(),
	}
	c.ID = strconv.FormatUint(uint64(netns), 16) + "-" + strconv.FormatUint(c.key.cookie(), 16)
	c.TCP.TimeWait = b[2] == timerTimeWait
	if c.TCP.TimeWait { // a minisock has none of these
		c.Socket.UID, c.Socket.Inode = model.Opt[uint32]{}, 0
	}
	c.TCP.Timer = timer(b[2], b[3], native.Uint32(b[52:]))
	if err := c.attributes(b[diagMessageSize:]); err != nil {
		return Conn{}, err
	}
	c.finish()
	return c, nil
}

// decodeTuple reads struct inet_diag_sockid. IPv4-mapped addresses are IPv4.
func decodeTuple(k *key, netns uint32) model.Network {
	return model.Network{
		Local: model.Endpoint{Address: diagAddress(k.family, k.id[4:20]), Port: binary.BigEndian.Uint16(k.id[0:])},
		Peer:  model.Endpoint{Address: diagAddress(k.family, k.id[20:36]), Port: binary.BigEndian.Uint16(k.id[2:])},
		NetNS: netns,
	}
}

func diagAddress(family byte, b []byte) netip.Addr {
	switch family {
	case familyIPv4:
		return netip.AddrFrom4([4]byte(b))
	case familyIPv6:
		return netip.AddrFrom16([16]byte(b)).Unmap()
	default:
		return netip.Addr{}
	}
}

func timer(kind, unanswered byte, expires uint32) Timer {
	names := [...]string{"", "on", "keepalive", "timewait", "persist"}
	if kind == 0 {
		return Timer{}
	}
	t := Timer{Name: "unknown", Expires: time.Duration(expires) * time.Millisecond, Unanswered: unanswered}
	if int(kind) < len(names) {
		t.Name = names[kind]
	}
	return t
}

// attributes reads the netlink attributes behind the message.
func (c *Conn) attributes(b []byte) error {
	native := binary.NativeEndian
	for len(b) >= 4 {
		size, kind := int(native.Uint16(b)), native.Uint16(b[2:])&0x3fff
		if size < 4 || size > len(b) {
			return fmt.Errorf("decode attribute %d of %d bytes, have %d: %w", kind, size, len(b), errShort)
		}
		value := b[4:size]
		switch {
		case kind == attributeInfo && c.key.protocol == protocolTCP:
			c.TCP.info(value)
			c.ages(value)
		case kind == attributeMemory && len(value) >= 4*(drops+1):
			c.Socket.Drops = model.Some(native.Uint32(value[4*drops:]))
		case kind == attributeShutdown && len(value) >= 1:
			c.Socket.Shutdown = model.Some(value[0])
		case kind == attributeCgroup && len(value) >= 8:
			c.cgroupID = native.Uint64(value)
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return nil
}

// ages reads from struct tcp_info what the end of the connection is foretold by.
func (c *Conn) ages(b []byte) {
	if len(b) < 104 {
		return
	}
	milliseconds := func(at int) time.Duration {
		return time.Duration(binary.NativeEndian.Uint32(b[at:])) * time.Millisecond
	}
	c.backoff, c.sentAge = b[4], milliseconds(44)
	c.Silent = model.Some(min(milliseconds(52), milliseconds(56)))
	if len(b) >= 232 {
		c.window = model.Some(binary.NativeEndian.Uint32(b[228:]))
	}
}

// info reads struct tcp_info, which has grown with the kernel.
func (t *TCP) info(b []byte) {
	native := binary.NativeEndian
	u32 := func(at int) uint32 {
		if len(b) < at+4 {
			return 0
		}
		return native.Uint32(b[at:])
	}
	u64 := func(at int) uint64 {
		if len(b) < at+8 {
			return 0
		}
		return native.Uint64(b[at:])
	}
	if len(b) < 104 {
		return
	}
	t.RTO = microseconds(u32(8))
	t.MSS, t.Window = u32(16), u32(80)
	t.Idle = model.Some(time.Duration(min(u32(44), u32(52))) * time.Millisecond)
	if rtt := u32(68); rtt != 0 {
		t.SRTT, t.RTTVar = microseconds(rtt), microseconds(u32(72))
	}
	t.Retransmits = model.Some(u32(100))
	if len(b) >= 136 {
		t.Bytes.Received = model.Some(u64(128))
	}
	if len(b) >= 152 {
		t.Bytes.Unsent = model.Some(uint64(u32(144)))
	}
	if len(b) >= 216 { // 4.19: sent, and what of it was sent again
		t.Bytes.Sent = model.Some(u64(200) - min(u64(208), u64(200)))
	}
}

func microseconds(us uint32) model.Opt[time.Duration] {
	return model.Some(time.Duration(us) * time.Microsecond)
}
