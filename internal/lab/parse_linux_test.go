package lab

import (
	"encoding/json"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"testing"

	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// The rows have the form that get_tcp4_sock, get_tcp6_sock and
// get_timewait4_sock of Linux print on a little-endian machine; the numbers of
// states are those of include/net/tcp_states.h.
func TestParseSocketRow(t *testing.T) {
	tests := []struct {
		line string
		want socketRow
	}{
		{
			"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0",
			socketRow{
				local: netip.MustParseAddrPort("127.0.0.1:8080"), peer: netip.MustParseAddrPort("0.0.0.0:0"),
				state: model.Listen,
			},
		},
		{
			"   1: 0100007F:BC1A 0100007F:1F90 04 00000006:0000000A 01:00000014 00000000     0        0 0 2 0",
			socketRow{
				local: netip.MustParseAddrPort("127.0.0.1:48154"), peer: netip.MustParseAddrPort("127.0.0.1:8080"),
				state: model.FinWait1, unacked: 6, unread: 10,
			},
		},
		{
			"   2: 0100007F:BC1A 0100007F:1F90 05 00000000:00000000 03:00001761 00000000     0        0 0 3 0",
			socketRow{
				local: netip.MustParseAddrPort("127.0.0.1:48154"), peer: netip.MustParseAddrPort("127.0.0.1:8080"),
				state: model.TimeWait,
			},
		},
		{
			"   3: 0000000000000000FFFF00000100007F:0050 00000000000000000000000001000000:0051 01 00000000:00000000 00:00000000 0 0 0 4",
			socketRow{
				local: netip.MustParseAddrPort("127.0.0.1:80"), peer: netip.MustParseAddrPort("[::1]:81"),
				state: model.Established,
			},
		},
	}
	for _, test := range tests {
		got, err := parseSocketRow(test.line)
		if err != nil || got != test.want {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", test.line, got, err, test.want)
		}
	}
	for _, line := range []string{"", "0: x x x x x", "0: 0100007F:zz 0:0 01 0:0 00:0", "0: 0100:1F90 0:0 01 0:0 00:0"} {
		if row, err := parseSocketRow(line); err == nil {
			t.Errorf("%q: got %+v, want an error", line, row)
		}
	}
}

// Two ways to ask the kernel about the same connection.
func TestSocketRowsAgree(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	local, peer := netip.MustParseAddrPort(l.Addr().String()), netip.MustParseAddrPort(a.LocalAddr().String())
	want := socketRow{local: local, peer: peer, state: model.Established, unread: 5}
	rows, err := listSockets()
	if err != nil || !slices.Contains(rows, want) {
		t.Errorf("/proc: got %+v, %v, want %+v among them", rows, err, want)
	}
	if err := probeFind(); err != nil {
		t.Skipf("no socket diagnosis here: %v", err)
	}
	d, err := openDiag()
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if got, err := d.find(local, peer); err != nil || got != want {
		t.Errorf("netlink: got %+v, %v, want %+v", got, err, want)
	}
}

func TestParseCounters(t *testing.T) {
	text := "Ip: Forwarding\nIp: 1\nTcp: MaxConn EstabResets\nTcp: -1 3\nTcpExt: TCPAbortOnData\nTcpExt: 7\n"
	got := map[string]uint64{}
	if err := parseCounters([]byte(text), got); err != nil {
		t.Fatal(err)
	}
	if got["EstabResets"] != 3 || got["TCPAbortOnData"] != 7 || len(got) != 3 {
		t.Errorf("got %v, want EstabResets 3, TCPAbortOnData 7 and MaxConn", got)
	}
	for _, bad := range []string{"Tcp: A B\nTcp: 1\n", "Tcp: A\nUdp: 1\n", "Tcp: A\nTcp: x\n"} {
		if err := parseCounters([]byte(bad), map[string]uint64{}); err == nil {
			t.Errorf("%q: want an error", bad)
		}
	}
}

// A segment that the lab forges is read as one; its checksums are judged by the
// kernel, in the scenarios that depend on it.
func TestParsePacket(t *testing.T) {
	from, to := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.2:65535")
	segment := tcpSegment(from, to, flagSYN|flagRST, 1, 2, 0)
	got, err := parsePacket(append(ipv4Header(unix.IPPROTO_TCP, from.Addr(), to.Addr(), len(segment)), segment...))
	if want := (Packet{From: from, To: to, SYN: true, RST: true, Seq: 1, Forged: true}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func FuzzParsePacket(f *testing.F) {
	from, to := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.2:2")
	segment := tcpSegment(from, to, flagFIN, 1, 2, 0)
	f.Add(append(ipv4Header(unix.IPPROTO_TCP, from.Addr(), to.Addr(), len(segment)), segment...))
	f.Add(append([]byte{0x60}, make([]byte, 59)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePacket(b); err == nil && (!p.From.Addr().IsValid() || !p.To.Addr().IsValid()) {
			t.Errorf("got %+v without addresses", p)
		}
	})
}

func FuzzParseSocketRow(f *testing.F) {
	f.Add("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0")
	f.Fuzz(func(t *testing.T, line string) {
		if row, err := parseSocketRow(line); err == nil && !row.local.IsValid() {
			t.Errorf("got %+v without an address", row)
		}
	})
}

// RFC 1071, section 3: the example's sum is ddf2.
func TestChecksum(t *testing.T) {
	if got, want := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}), ^uint16(0xddf2); got != want {
		t.Errorf("got %04x, want %04x", got, want)
	}
}

func TestScenarioNames(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, sc := range Scenarios() {
		if !kebab.MatchString(sc.Name) || sc.Group == "" || sc.run == nil {
			t.Errorf("scenario %q is not complete", sc.Name)
		}
		if seen[sc.Name] {
			t.Errorf("two scenarios are called %s", sc.Name)
		}
		seen[sc.Name] = true
	}
	if n := len(Quick()); n < 10 || n > 15 {
		t.Errorf("got %d quick scenarios, want about a dozen", n)
	}
}

// A result goes through a pipe as JSON.
func TestResultJSON(t *testing.T) {
	r := Result{Name: "x", Ends: []End{{Label: "a", Truth: finActive(model.CallClose).unread(0).expired(reply{Took: 5})}}}
	text, err := json.Marshal(&r)
	if err != nil {
		t.Fatal(err)
	}
	var got Result
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&got)
	if err != nil || string(again) != string(text) {
		t.Errorf("got  %s, %v\nwant %s", again, err, text)
	}
	want := r.Ends[0].Truth
	if g := got.Ends[0].Truth; *g.Outcome != *want.Outcome || g.Blocked != want.Blocked || g.Verdict != want.Verdict {
		t.Errorf("got %+v, want %+v", g, want)
	}
}
