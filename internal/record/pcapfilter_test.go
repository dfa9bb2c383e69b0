package record

import (
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

func TestPcapFilter(t *testing.T) {
	var p PcapFilter
	add := func(a, b string) {
		r := model.Record{Kind: model.KindTeardown}
		x, y := netip.MustParseAddrPort(a), netip.MustParseAddrPort(b)
		r.Teardown.Network.Local = model.Endpoint{Address: x.Addr(), Port: x.Port()}
		r.Teardown.Network.Peer = model.Endpoint{Address: y.Addr(), Port: y.Port()}
		p.Add(&r)
	}
	add("10.0.0.5:443", "10.0.0.9:51034")
	add("127.0.0.1:80", "127.0.0.1:40000")
	add("127.0.0.1:40000", "127.0.0.1:80") // its other end
	add("[fe80::1%eth0]:22", "[fe80::2%eth0]:40001")
	p.Add(&model.Record{Kind: model.KindLoss})
	p.Add(&model.Record{Kind: model.KindTeardown})
	want := "tcp and ((host 10.0.0.5 and host 10.0.0.9 and port 443 and port 51034)" +
		" or (host 127.0.0.1 and host 127.0.0.1 and port 80 and port 40000)" +
		" or (host fe80::1 and host fe80::2 and port 22 and port 40001))"
	if got := p.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for i := range 1000 {
		add("10.0.0.5:443", netip.AddrPortFrom(netip.MustParseAddr("10.1.0.1"), uint16(1000+i)).String())
	}
	if p.Skipped() != 853 {
		t.Errorf("got %d skipped, want 3+1000-150", p.Skipped())
	}
	need(t, "programs", "tcpdump")
	if out, err := exec.Command("tcpdump", "-d", "-y", "EN10MB", p.String()).CombinedOutput(); err != nil {
		t.Errorf("tcpdump does not take the filter: %s", out)
	}
}

// TestPcapFilterMax: exactly as many connections are taken as are asked for, and the
// others are counted.
func TestPcapFilterMax(t *testing.T) {
	for limit, want := range map[int]int{1: 1, 2: 2, 200: 200, 0: 150} {
		p := PcapFilter{Max: limit}
		for i := range 300 {
			r := model.Record{Kind: model.KindTeardown}
			r.Teardown.Network.Local = model.Endpoint{Address: netip.MustParseAddr("10.0.0.5"), Port: 443}
			r.Teardown.Network.Peer = model.Endpoint{Address: netip.MustParseAddr("10.0.0.9"), Port: uint16(1000 + i)}
			p.Add(&r)
		}
		if got := strings.Count(p.String(), "(host"); got != want || p.Skipped() != 300-want {
			t.Errorf("at most %d: got %d and %d skipped, want %d and %d", limit, got, p.Skipped(), want, 300-want)
		}
	}
}

// TestPcapFilterSkipsConnections: what does not fit is counted in connections, of which
// each end and each outcome is a record.
func TestPcapFilterSkipsConnections(t *testing.T) {
	var p PcapFilter
	for _, kind := range []model.Kind{model.KindTeardown, model.KindOutcome} {
		for i := range 200 {
			r := model.Record{Kind: kind}
			r.Teardown.Network.Local = model.Endpoint{Address: netip.MustParseAddr("127.0.0.1"), Port: 443}
			r.Teardown.Network.Peer = model.Endpoint{Address: netip.MustParseAddr("127.0.0.1"), Port: uint16(1000 + i)}
			p.Add(&r)
			r.Teardown.Network = r.Teardown.Network.Reversed()
			p.Add(&r)
		}
	}
	if p.Skipped() != 50 {
		t.Errorf("%d connections do not fit, want 50", p.Skipped())
	}
}

// segment is a TCP segment of a capture.
type segment struct{ from, to string }

// capture returns a capture file of segments without a link layer.
func capture(segments []segment) []byte {
	const rawIP = 101 // LINKTYPE_RAW
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
	b = binary.LittleEndian.AppendUint32(b, rawIP)
	for _, s := range segments {
		from, to := netip.MustParseAddrPort(s.from), netip.MustParseAddrPort(s.to)
		tcp := binary.BigEndian.AppendUint16(nil, from.Port())
		tcp = binary.BigEndian.AppendUint16(tcp, to.Port())
		tcp = append(tcp, 0, 0, 0, 1, 0, 0, 0, 0, 5<<4, 4, 0, 0, 0, 0, 0, 0) // a RST
		ip := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0}
		if from.Addr().Is6() {
			ip = []byte{0x60, 0, 0, 0, 0, 20, 6, 64}
		}
		packet := slices.Concat(ip, from.Addr().AsSlice(), to.Addr().AsSlice(), tcp)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = append(b, packet...)
	}
	return b
}

// TestPcapFilterOnCapture: tcpdump finds both directions of the connections,
// and no other.
func TestPcapFilterOnCapture(t *testing.T) {
	need(t, "programs", "tcpdump")
	path := filepath.Join(t.TempDir(), "trace.pcap")
	wanted := []segment{
		{"10.0.0.5:443", "10.0.0.9:51034"},
		{"10.0.0.9:51034", "10.0.0.5:443"},
		{"[2001:db8::5]:22", "[2001:db8::9]:40001"},
		{"[2001:db8::9]:40001", "[2001:db8::5]:22"},
	}
	others := []segment{
		{"10.0.0.5:443", "10.0.0.9:51035"},
		{"10.0.0.5:443", "10.0.0.8:51034"},
		{"10.0.0.5:444", "10.0.0.9:51034"},
		{"[2001:db8::5]:22", "[2001:db8::9]:40002"},
		{"[2001:db8::6]:22", "[2001:db8::9]:40001"},
	}
	if err := os.WriteFile(path, capture(append(others, wanted...)), 0o644); err != nil {
		t.Fatal(err)
	}
	var p PcapFilter
	dump := func() ([]byte, error) {
		return exec.Command("tcpdump", "-nn", "-q", "-t", "-r", path, p.String()).Output()
	}
	if out, err := dump(); err == nil || len(out) > 0 {
		t.Errorf("the filter of no connection finds %q, %v, want an error of tcpdump", out, err)
	}
	for _, s := range wanted {
		r := model.Record{Kind: model.KindTeardown}
		local, peer := netip.MustParseAddrPort(s.from), netip.MustParseAddrPort(s.to)
		r.Teardown.Network.Local = model.Endpoint{Address: local.Addr(), Port: local.Port()}
		r.Teardown.Network.Peer = model.Endpoint{Address: peer.Addr(), Port: peer.Port()}
		p.Add(&r)
	}
	out, err := dump()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := "IP 10.0.0.5.443 > 10.0.0.9.51034: tcp 0\nIP 10.0.0.9.51034 > 10.0.0.5.443: tcp 0\n" +
		"IP6 2001:db8::5.22 > 2001:db8::9.40001: tcp 0\nIP6 2001:db8::9.40001 > 2001:db8::5.22: tcp 0\n"
	if string(out) != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}
