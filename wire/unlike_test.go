package wire_test

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// stack is how a system makes the segments of a connection and its RSTs.
type stack struct {
	name          string
	id            func(n int) uint16 // of segment n, and of the RST
	ts            func(n int) uint32 // 0: none
	window        uint16
	rst           uint8
	rstID         func(n int) uint16
	rstTS         uint32 // 0: none
	rstWindow     uint16
	between       bool
	want          string   // in the reason
	evidenceNames []string // without wire.
}

// TestUnlike: a RST that the network made is known by the IP identification, the time
// stamp and the window as well; RSTs of the stacks themselves are not. What stacks do is
// from their sources (tcp_send_active_reset and tcp_v4_send_reset of Linux, tcp_respond
// of FreeBSD and XNU) and from captures of Windows and of older Linux.
func TestUnlike(t *testing.T) {
	counted := func(n int) uint16 { return uint16(30000 + n) }
	random := func(n int) uint16 { return uint16(n * 40503) }
	zero := func(int) uint16 { return 0 }
	ms := func(n int) uint32 { return uint32(1<<31 + n) }
	none := func(int) uint32 { return 0 }
	const both, reply = wiretest.RST | wiretest.ACK, wiretest.RST
	for _, x := range []stack{
		{name: "Linux", id: counted, ts: ms, window: 501, rst: both, rstID: counted, rstTS: 1<<31 + 9, rstWindow: 501},
		{name: "Linux, its window has grown", id: counted, ts: ms, window: 501, rst: both, rstID: counted, rstTS: 1<<31 + 9, rstWindow: 2000},
		{name: "Linux, of a closed socket", id: counted, ts: ms, window: 501, rst: reply, rstID: zero},
		{name: "older Linux, of a closed socket", id: counted, ts: ms, window: 501, rst: reply, rstID: func(int) uint16 { return 54321 }},
		{name: "Linux without identifications", id: zero, ts: ms, window: 501, rst: both, rstID: zero, rstTS: 1<<31 + 9},
		{name: "Windows", id: counted, ts: none, window: 1026, rst: both, rstID: counted},
		{name: "Windows with time stamps", id: counted, ts: ms, window: 1026, rst: both, rstID: counted},
		{name: "macOS", id: zero, ts: ms, window: 2058, rst: both, rstID: zero},
		{name: "macOS, random", id: random, ts: ms, window: 2058, rst: both, rstID: random, rstTS: 1<<31 + 9, rstWindow: 2058},
		{name: "OpenBSD", id: random, ts: ms, window: 256, rst: both, rstID: random},
		{name: "a busy host of one counter", id: func(n int) uint16 { return uint16(30000 + 900*n) }, ts: none, window: 256, rst: both, rstID: func(int) uint16 { return 5 }},

		{name: "another counter", id: counted, ts: none, window: 501, rst: both, rstID: func(int) uint16 { return 9 }, between: true, want: "IP ID 9, the segment before had 3000", evidenceNames: []string{"ip-id", "rst-ip-id"}},
		{name: "another clock", id: zero, ts: ms, window: 501, rst: both, rstID: zero, rstTS: 77, between: true, want: "time stamp 77, the segment before had 214748", evidenceNames: []string{"timestamp", "rst-timestamp"}},
		{name: "no time stamp and a wide window", id: zero, ts: ms, window: 501, rst: both, rstID: zero, rstWindow: 8192, between: true, want: "window 8192, the segment before had 501, and the RST has no time stamp", evidenceNames: []string{"window", "rst-window"}},
		{name: "no identification and no time stamp", id: counted, ts: ms, window: 501, rst: both, rstID: zero, between: true, want: "IP ID 0", evidenceNames: []string{"ip-id", "rst-ip-id"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			records := play(t, wire.Options{}, func(m *wiretest.Maker) { x.play(m) })
			r := &records[slices.IndexFunc(records, func(r model.Record) bool {
				return r.Teardown.Network.Local.AddrPort() == client
			})].Teardown
			if between := r.Terminator == model.NetworkPath; between != x.between {
				t.Fatalf("by %v: %s", r.Terminator, r.ConfidenceReason)
			}
			if !x.between {
				return
			}
			var names []string
			for _, e := range r.Evidence.Events {
				names = append(names, strings.TrimPrefix(e.Provider, "wire."))
			}
			if !strings.Contains(r.ConfidenceReason, x.want) || !slices.Equal(names, x.evidenceNames) || r.Confidence == model.Certain {
				t.Errorf("%v %q, evidence %v", r.Confidence, r.ConfidenceReason, names)
			}
		})
	}
}

// play writes a connection whose server is x, and its RST.
func (x *stack) play(m *wiretest.Maker) {
	n := 0
	stamp := func(v uint32) []byte {
		if v == 0 {
			return nil
		}
		return append(binary.BigEndian.AppendUint32([]byte{1, 1, 8, 10}, v), 0, 0, 0, 1)
	}
	server1 := func(seq uint32, flags uint8, data string) {
		n++
		m.Send(&wiretest.Segment{
			From: server, To: client, Seq: seq, Ack: 1001, Flags: flags, Window: x.window,
			ID: func() uint16 { return x.id(n) }, Options: stamp(x.ts(n)), Payload: []byte(data),
		})
		m.Now = m.Now.Add(time.Millisecond)
	}
	mine := func(seq, ack uint32, flags uint8) {
		m.Send(&wiretest.Segment{From: client, To: server, Seq: seq, Ack: ack, Flags: flags, Window: 64, Options: stamp(x.ts(n) &^ 1)})
	}
	mine(1000, 0, wiretest.SYN)
	server1(5000, wiretest.SYN|wiretest.ACK, "")
	mine(1001, 5001, wiretest.ACK)
	for i := range uint32(6) {
		server1(5001+5*i, wiretest.ACK, "hello")
		mine(1001, 5006+5*i, wiretest.ACK)
	}
	n++
	m.Send(&wiretest.Segment{
		From: server, To: client, Seq: 5031, Ack: 1001, Flags: x.rst, Window: x.rstWindow,
		ID: func() uint16 { return x.rstID(n) }, Options: stamp(x.rstTS),
	})
}

// The capture of a sender whose peer's window stayed closed, and whose send failed with
// ETIMEDOUT by TCP_USER_TIMEOUT of 3 s although the probes were answered. Later the peer
// opened its window, which was answered with RST: that says nothing new.
func TestUserTimeoutOfClosedWindow(t *testing.T) {
	in, err := os.Open("testdata/user-timeout.pcap")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, _, err := wire.Open(in, "user-timeout", wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var records []model.Record
	for r, err := range model.Judged(f.Events(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	check(
		t, records,
		"w1a 127.0.0.1:48460 abortive user-timeout none local-kernel inferred",
		"w1b 127.0.0.1:41175 abortive peer-reset peer peer inferred",
	)
	if why := records[0].Teardown.ConfidenceReason; !strings.Contains(why, "4 probes in 2.992s were answered") {
		t.Errorf("reason %q", why)
	}
}

// The status of HTTP responses is reported only on request.
func TestHTTPStatus(t *testing.T) {
	script := func(m *wiretest.Maker) {
		c := m.Open(client, server, 1000, 5000)
		for _, answer := range []string{"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP/1.1 nonsense", "HTTP/1.1 5"} {
			c.Say(0, []byte("GET / HTTP/1.1\r\nAuthorization: secret\r\n\r\n"))
			c.Say(1, []byte(answer))
		}
		c.Close(1)
	}
	if got := play(t, wire.Options{}, script)[0].Teardown.Evidence.Events; len(got) != 0 {
		t.Errorf("without Payload: %v", got)
	}
	records := play(t, wire.Options{Payload: true}, script)
	for i, want := range []string{"wire.http-status-received", "wire.http-status-sent"} {
		if got := records[i].Teardown.Evidence.Events; len(got) != 1 || got[0].Provider != want || got[0].ID != 502 {
			t.Errorf("evidence %v, want %s 502", got, want)
		}
	}
}
