package sockets

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// diagBytes builds a message field by field from include/uapi/linux/inet_diag.h.
func diagBytes(family, state, timer byte, local, peer netip.AddrPort, rqueue, wqueue, inode uint32) []byte {
	native := binary.NativeEndian
	b := []byte{family, state, timer, 3}
	b = binary.BigEndian.AppendUint16(b, local.Port())
	b = binary.BigEndian.AppendUint16(b, peer.Port())
	for _, a := range []netip.Addr{local.Addr(), peer.Addr()} {
		var field [16]byte
		copy(field[:], a.AsSlice())
		b = append(b, field[:]...)
	}
	b = native.AppendUint32(b, 0)      // interface
	b = native.AppendUint64(b, 0x1a2b) // cookie
	b = native.AppendUint32(b, 1500)   // expires, ms
	b = native.AppendUint32(b, rqueue)
	b = native.AppendUint32(b, wqueue)
	b = native.AppendUint32(b, 33) // uid
	return native.AppendUint32(b, inode)
}

func attribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

var (
	local4  = netip.MustParseAddrPort("10.0.0.5:443")
	peer4   = netip.MustParseAddrPort("10.0.0.9:51034")
	mapped4 = netip.MustParseAddrPort("[::ffff:10.0.0.5]:443")
	mappedP = netip.MustParseAddrPort("[::ffff:10.0.0.9]:51034")
)

func TestDecodeDiag(t *testing.T) {
	b := diagBytes(familyIPv4, byte(model.CloseWait), 2, local4, peer4, 513, 100, 77)
	b = attribute(b, attributeShutdown, []byte{1})
	b = attribute(b, attributeCgroup, binary.NativeEndian.AppendUint64(nil, 4711))
	memory := make([]byte, 36)
	binary.NativeEndian.PutUint32(memory[32:], 5)
	b = attribute(b, attributeMemory, memory)
	b = attribute(b, 99, []byte("a future kernel's"))
	c, err := decodeDiag(b, protocolTCP, 0xf0000098)
	if err != nil {
		t.Fatal(err)
	}
	want := Conn{
		ID: "f0000098-1a2b", Transport: "tcp", State: model.CloseWait,
		Network: model.Network{
			Local: model.Endpoint{Address: local4.Addr(), Port: 443}, Peer: model.Endpoint{Address: peer4.Addr(), Port: 51034},
			NetNS: 0xf0000098,
		},
		Queue: Queue{513, 100},
		Socket: Socket{
			Inode: 77, UID: model.Some(uint32(33)), Shutdown: model.Some(uint8(1)), Cookie: 0x1a2b, Drops: model.Some(uint32(5)),
		},
		cgroupID: 4711,
	}
	want.TCP.Timer = Timer{Name: "keepalive", Expires: 1500e6, Unanswered: 3}
	want.TCP.Bytes.Unread = model.Some(uint64(512)) // 513 with the peer's FIN
	want.TCP.Bytes.Unacked = model.Some(uint64(100))
	c.key = key{}
	if hexed := func(c Conn) string { return hex.EncodeToString([]byte(dumpOf(c))) }; hexed(c) != hexed(want) {
		t.Errorf("got  %s\nwant %s", dumpOf(c), dumpOf(want))
	}
}

func TestDecodeMapped(t *testing.T) {
	b := diagBytes(familyIPv6, byte(model.Established), 0, mapped4, mappedP, 0, 0, 1)
	c, err := decodeDiag(b, protocolTCP, 1)
	if err != nil || c.Network.Local.AddrPort() != local4 || c.Network.Type() != "ipv4" {
		t.Errorf("got %v, %v, want %v as IPv4", c.Network, err, local4)
	}
	// What is sent back to the kernel must be the address as it was.
	if netip.AddrFrom16([16]byte(c.key.request(1)[12:28])) != mapped4.Addr() {
		t.Error("a request does not have the socket's own address")
	}
}

func TestOrphanOrUnaccepted(t *testing.T) {
	for _, c := range []struct {
		state              model.State
		timer              byte
		inode              uint32
		orphan, unaccepted bool
	}{
		{model.Established, 0, 5, false, false},
		{model.Established, 0, 0, false, true},
		{model.CloseWait, 0, 0, false, true},
		{model.SynRecv, 1, 0, false, true},
		{model.FinWait1, 1, 0, true, false},
		{model.LastAck, 1, 0, true, false},
		{model.FinWait2, timerTimeWait, 0, false, false},
		{model.TimeWait, timerTimeWait, 0, false, false},
		{model.Listen, 0, 5, false, false},
	} {
		got, err := decodeDiag(diagBytes(familyIPv4, byte(c.state), c.timer, local4, peer4, 0, 0, c.inode), protocolTCP, 1)
		if err != nil || got.Orphan != c.orphan || got.Unaccepted != c.unaccepted {
			t.Errorf("%v with inode %d: orphan %v, unaccepted %v, want %v, %v", c.state, c.inode, got.Orphan, got.Unaccepted, c.orphan, c.unaccepted)
		}
	}
}

func TestDecodeShort(t *testing.T) {
	whole := attribute(diagBytes(familyIPv4, 1, 0, local4, peer4, 0, 0, 1), attributeInfo, make([]byte, 232))
	for n := range diagMessageSize {
		if _, err := decodeDiag(whole[:n], protocolTCP, 1); !errors.Is(err, errShort) {
			t.Errorf("%d bytes: %v, want %v", n, err, errShort)
		}
	}
	for n := diagMessageSize + 4; n < len(whole); n++ {
		if _, err := decodeDiag(whole[:n], protocolTCP, 1); !errors.Is(err, errShort) {
			t.Errorf("%d of %d bytes: %v, want %v", n, len(whole), err, errShort)
		}
	}
}

// FuzzDecodeDiag: no message panics, and what is asked about a socket names the
// very socket that was decoded.
func FuzzDecodeDiag(f *testing.F) {
	f.Add(diagBytes(familyIPv4, 1, 0, local4, peer4, 1, 2, 3), byte(protocolTCP))
	f.Add(attribute(diagBytes(familyIPv6, 8, 3, mapped4, mappedP, 1, 2, 3), attributeInfo, make([]byte, 240)), byte(protocolUDP))
	f.Fuzz(func(t *testing.T, b []byte, protocol byte) {
		c, err := decodeDiag(b, protocol, 7)
		if err != nil {
			return
		}
		if r := c.key.request(^uint32(0)); len(r) != diagRequestSize || string(r[8:]) != string(b[4:52]) {
			t.Errorf("request %x does not hold the id %x", r, b[4:52])
		}
		_ = Predict(&c).String()
		if bytes := c.TCP.Bytes; bytes.Unsent.Or(0) > bytes.Unacked.Or(0) && bytes.Unsent.Known() {
			t.Errorf("unsent %d > unacked %d", bytes.Unsent.Or(0), bytes.Unacked.Or(0))
		}
	})
}
