package sockets

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// The tables of GetExtendedTcpTable and GetExtendedUdpTable (iphlpapi.h), with
// the layout of 64-bit Windows. They are decoded on every platform, so that
// they are tested on every platform.

// tableKind is one of the tables that are read.
type tableKind struct {
	transport string
	family    byte
	row       int // size of a row
	first     int // offset of the first row: 8-byte members are aligned
}

var (
	// MIB_TCPTABLE_OWNER_MODULE and its relatives: they have the creation time.
	tcpTable4 = tableKind{"tcp", familyIPv4, 160, 8}
	tcpTable6 = tableKind{"tcp", familyIPv6, 192, 8}
	udpTable4 = tableKind{"udp", familyIPv4, 160, 8}
	udpTable6 = tableKind{"udp", familyIPv6, 176, 8}
)

// windowsStates maps MIB_TCP_STATE (tcpmib.h) to ours.
var windowsStates = [...]model.State{
	1: model.Closed, 2: model.Listen, 3: model.SynSent, 4: model.SynRecv, 5: model.Established,
	6: model.FinWait1, 7: model.FinWait2, 8: model.CloseWait, 9: model.Closing, 10: model.LastAck,
	11: model.TimeWait, 12: model.Closed, // DELETE_TCB
}

// decodeTable reads a table: a count, then rows.
func decodeTable(b []byte, kind tableKind) ([]Conn, error) {
	if len(b) < kind.first {
		return nil, fmt.Errorf("decode table of %d bytes, want %d: %w", len(b), kind.first, errShort)
	}
	count := int64(binary.LittleEndian.Uint32(b))
	if have := int64(len(b)-kind.first) / int64(kind.row); count > have {
		return nil, fmt.Errorf("decode table of %d rows, have %d: %w", count, have, errShort)
	}
	var all []Conn
	for i := range int(count) {
		at := kind.first + i*kind.row
		if c := kind.decode(b[at : at+kind.row]); c.State != model.StateUnknown {
			all = append(all, c)
		}
	}
	return all, nil
}

func (k tableKind) decode(row []byte) Conn {
	c := Conn{Transport: k.transport, State: model.Closed}
	little := binary.LittleEndian
	var created uint64
	var pid uint32
	switch k {
	case tcpTable4: // state, local address, port, remote address, port, pid, creation time
		c.State = windowsState(little.Uint32(row))
		c.Network.Local = endpoint4(row[4:])
		c.Network.Peer = endpoint4(row[12:])
		pid, created = little.Uint32(row[20:]), little.Uint64(row[24:])
	case tcpTable6: // local address, scope, port, remote address, scope, port, state, pid, creation time
		c.Network.Local = endpoint6(row)
		c.Network.Peer = endpoint6(row[24:])
		c.State = windowsState(little.Uint32(row[48:]))
		pid, created = little.Uint32(row[52:]), little.Uint64(row[56:])
	case udpTable4: // address, port, pid, creation time
		c.Network.Local = endpoint4(row)
		pid, created = little.Uint32(row[8:]), little.Uint64(row[16:])
	default: // address, scope, port, pid, creation time
		c.Network.Local = endpoint6(row)
		pid, created = little.Uint32(row[24:]), little.Uint64(row[32:])
	}
	c.Process.PID = int(pid)
	c.StartTime = filetime(created)
	if c.State == model.Listen { // the kernel leaves rubbish there
		c.Network.Peer = model.Endpoint{}
	}
	c.key = key{family: k.family, protocol: protocolTCP}
	c.ID = connID(&c, created)
	return c
}

// connID names a connection by its addresses and the time of its creation: it
// is one word, without the colons by which kill knows addresses.
func connID(c *Conn, created uint64) string {
	sum := fnv.New32a()
	fmt.Fprint(sum, c.Transport, c.Network.Local.AddrPort(), c.Network.Peer.AddrPort())
	return fmt.Sprintf("%08x-%x", sum.Sum32(), created)
}

func windowsState(n uint32) model.State {
	if int64(n) >= int64(len(windowsStates)) {
		return model.StateUnknown
	}
	return windowsStates[n]
}

// endpoint4 reads an address and a port in network byte order; the port is in
// the lower half of four bytes.
func endpoint4(b []byte) model.Endpoint {
	return model.Endpoint{Address: netip.AddrFrom4([4]byte(b)), Port: binary.BigEndian.Uint16(b[4:])}
}

// endpoint6 reads address, scope and port.
func endpoint6(b []byte) model.Endpoint {
	return model.Endpoint{Address: netip.AddrFrom16([16]byte(b)).Unmap(), Port: binary.BigEndian.Uint16(b[20:])}
}

// filetime converts 100-nanosecond steps since 1601; 0 is unknown.
func filetime(t uint64) model.Time {
	const epoch = 116444736000000000
	if t <= epoch || t > epoch+1<<63/100 {
		return 0
	}
	return model.TimeOf(time.Unix(0, int64(t-epoch)*100))
}

// deleteRow is the MIB_TCPROW that asks SetTcpEntry to end a connection.
func deleteRow(n model.Network) (row [20]byte, ok bool) {
	if !n.Local.Address.Is4() || !n.Peer.Address.Is4() {
		return row, false
	}
	const deleteTCB = 12
	binary.LittleEndian.PutUint32(row[0:], deleteTCB)
	local, peer := n.Local.Address.As4(), n.Peer.Address.As4()
	copy(row[4:], local[:])
	binary.BigEndian.PutUint16(row[8:], n.Local.Port)
	copy(row[12:], peer[:])
	binary.BigEndian.PutUint16(row[16:], n.Peer.Port)
	return row, true
}
