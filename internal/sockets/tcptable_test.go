package sockets

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// windowsRow lays members out as a C compiler for 64-bit Windows does.
type windowsRow struct{ b []byte }

func (r *windowsRow) dword(v uint32) *windowsRow {
	r.b = binary.LittleEndian.AppendUint32(r.b, v)
	return r
}

func (r *windowsRow) bytes(b []byte) *windowsRow { r.b = append(r.b, b...); return r }

func (r *windowsRow) port(p uint16) *windowsRow {
	r.b = append(binary.BigEndian.AppendUint16(r.b, p), 0xaa, 0xbb) // the upper half may hold anything
	return r
}

func (r *windowsRow) quad(v uint64) *windowsRow {
	for len(r.b)%8 != 0 {
		r.b = append(r.b, 0)
	}
	r.b = binary.LittleEndian.AppendUint64(r.b, v)
	return r
}

func (r *windowsRow) modules() []byte {
	for range 16 {
		r.quad(0)
	}
	return r.b
}

func windowsTable(rows ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(rows)))
	b = append(b, 0, 0, 0, 0)
	for _, r := range rows {
		b = append(b, r...)
	}
	return b
}

var (
	created     = time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC)
	createdTime = uint64(created.Unix()+11644473600) * 1e7 // FILETIME
	local6      = netip.MustParseAddrPort("[fe80::1]:443")
	peer6       = netip.MustParseAddrPort("[2001:db8::9]:51034")
)

func TestDecodeTables(t *testing.T) {
	a4, b4 := local4.Addr().As4(), peer4.Addr().As4()
	a6, b6 := local6.Addr().As16(), peer6.Addr().As16()
	for _, c := range []struct {
		name        string
		kind        tableKind
		row         []byte
		local, peer netip.AddrPort
		state       model.State
	}{
		{
			"TCP over IPv4", tcpTable4,
			new(windowsRow).dword(5).bytes(a4[:]).port(443).bytes(b4[:]).port(51034).dword(812).quad(createdTime).modules(),
			local4, peer4, model.Established,
		},
		{
			"TCP over IPv6", tcpTable6,
			new(windowsRow).bytes(a6[:]).dword(3).port(443).bytes(b6[:]).dword(0).port(51034).dword(8).dword(812).quad(createdTime).modules(),
			local6, peer6, model.CloseWait,
		},
		{
			"listener", tcpTable4,
			new(windowsRow).dword(2).bytes(a4[:]).port(443).bytes(b4[:]).port(51034).dword(812).quad(createdTime).modules(),
			local4,
			netip.AddrPort{},
			model.Listen,
		},
		{
			"UDP over IPv4", udpTable4,
			new(windowsRow).bytes(a4[:]).port(443).dword(812).quad(createdTime).dword(0).modules(),
			local4,
			netip.AddrPort{},
			model.Closed,
		},
		{
			"UDP over IPv6", udpTable6,
			new(windowsRow).bytes(a6[:]).dword(3).port(443).dword(812).quad(createdTime).dword(0).modules(),
			local6,
			netip.AddrPort{},
			model.Closed,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if len(c.row) != c.kind.row {
				t.Fatalf("a row has %d bytes by its members, the decoder takes %d", len(c.row), c.kind.row)
			}
			all, err := decodeTable(windowsTable(c.row, c.row), c.kind)
			if err != nil || len(all) != 2 {
				t.Fatalf("%d rows, %v, want 2", len(all), err)
			}
			got := all[1]
			if strings.ContainsAny(got.ID, ": ") || got.ID == "" {
				t.Errorf("ID %q is not one word that kill takes for an ID", got.ID)
			}
			if got.Network.Local.AddrPort() != c.local || got.Network.Peer.AddrPort() != c.peer || got.State != c.state {
				t.Errorf("got %v -> %v %v, want %v -> %v %v", got.Network.Local, got.Network.Peer, got.State, c.local, c.peer, c.state)
			}
			if got.Process.PID != 812 || !got.StartTime.Go().Equal(created) {
				t.Errorf("process %d since %v, want 812 since %v", got.Process.PID, got.StartTime, created)
			}
		})
	}
}

func TestDecodeTableShort(t *testing.T) {
	a4 := local4.Addr().As4()
	row := new(windowsRow).dword(5).bytes(a4[:]).port(443).bytes(a4[:]).port(1).dword(812).quad(createdTime).modules()
	whole := windowsTable(row, row)
	for n := range len(whole) {
		if _, err := decodeTable(whole[:n], tcpTable4); !errors.Is(err, errShort) {
			t.Fatalf("%d of %d bytes: %v, want %v", n, len(whole), err, errShort)
		}
	}
}

func FuzzDecodeTable(f *testing.F) {
	f.Add(windowsTable(make([]byte, 160)), 0)
	f.Add(windowsTable(make([]byte, 192)), 1)
	f.Fuzz(func(t *testing.T, b []byte, kind int) {
		kinds := []tableKind{tcpTable4, tcpTable6, udpTable4, udpTable6}
		all, err := decodeTable(b, kinds[uint(kind)%4])
		if err == nil && len(all)*160 > len(b) {
			t.Errorf("%d rows from %d bytes", len(all), len(b))
		}
	})
}

// TestDeleteRow: MIB_TCPROW is state, address, port, address, port, 4 bytes
// each; SetTcpEntry wants state 12.
func TestDeleteRow(t *testing.T) {
	n := model.Network{Local: model.Endpoint{Address: local4.Addr(), Port: 443}, Peer: model.Endpoint{Address: peer4.Addr(), Port: 51034}}
	want := [20]byte{12, 0, 0, 0, 10, 0, 0, 5, 0x01, 0xbb, 0, 0, 10, 0, 0, 9, 0xc7, 0x5a, 0, 0}
	if got, ok := deleteRow(n); !ok || got != want {
		t.Errorf("got %x, %v, want %x", got, ok, want)
	}
	n.Peer.Address = peer6.Addr()
	if _, ok := deleteRow(n); ok {
		t.Error("a row for IPv6 was made")
	}
}
