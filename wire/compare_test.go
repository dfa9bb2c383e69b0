package wire_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// sightingsOf reads what a capture has of its connections.
func sightingsOf(t *testing.T, in io.Reader) *wire.Sightings {
	t.Helper()
	seen := new(wire.Sightings)
	f, _, err := wire.Open(in, "made", wire.Options{Sightings: seen})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, err := range f.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return seen
}

// shifted returns a pcap file whose clock is some seconds ahead.
func shifted(t *testing.T, path string, seconds uint32) io.Reader {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 24; at < len(data); at += 16 + int(binary.LittleEndian.Uint32(data[at+8:])) {
		binary.LittleEndian.PutUint32(data[at:], binary.LittleEndian.Uint32(data[at:])+seconds)
	}
	return bytes.NewReader(data)
}

// Two captures of both sides of a Linux router, taken at the same time: the server reset
// one connection (SO_LINGER 0), netfilter's REJECT in the router another, and refused a
// third.
func TestBothSidesOfADevice(t *testing.T) {
	c := wire.Compare(
		sightingsOf(t, shifted(t, "testdata/device-client.pcap", 0)),
		sightingsOf(t, shifted(t, "testdata/device-server.pcap", 3)),
		[2]string{"client.pcap", "server.pcap"},
	)
	if c.Both != 5 || c.Shared != 5 || (c.Ahead-3*time.Second).Abs() > 20*time.Microsecond || c.Way <= 0 || c.Way > time.Millisecond {
		t.Errorf("%d connections in both, %d with segments of either side, %v ahead, %v on the way", c.Both, c.Shared, c.Ahead, c.Way)
	}
	server := netip.MustParseAddrPort("10.2.0.2:5001")
	for port, want := range map[uint16]string{
		48388: "  the RST from 10.2.0.2:5001 passed server.pcap first, as its other segments did",
		48392: "! the RST from 10.2.0.2:5001 is in client.pcap and not in server.pcap, which its other segments pass first: 10.2.0.2 never sent it, something between the two did, or server.pcap had ended or lost it",
		48406: "! the SYN to 10.2.0.2:5001 is in client.pcap and not in server.pcap: something between the two kept it, and answered with RST, or server.pcap had ended or lost it",
		48354: "",
	} {
		got := ""
		for d := range c.Each {
			if d.From != server || d.To.Port() != port {
				continue
			}
			got += map[bool]string{true: "! ", false: "  "}[d.Elsewhere] + d.Text
		}
		if got != want {
			t.Errorf("port %d: got %q, want %q", port, got, want)
		}
	}
}

// Captures with 5 ms between them: a RST may come the way of its sender's segments, or
// from the other side, or get lost, and a capture that ends too early says nothing.
func TestCompare(t *testing.T) {
	const way, ahead = 5 * time.Millisecond, -2 * time.Second
	rst := wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.RST | wiretest.ACK, Window: 9}
	for _, x := range []struct {
		name      string
		atA, atB  time.Duration // of the RST, in the time of the first capture; 0: not captured
		end       time.Duration
		want      string
		elsewhere bool
	}{
		{"the server's", 2*way + time.Second, way + time.Second, time.Minute, "passed b first, as", false},
		{"from the client's side", way + time.Second, 2*way + time.Second, time.Minute, "passed a first, its other segments pass b first: it was not sent by 192.0.2.1", true},
		{"made between", way + time.Second, 0, time.Minute, "192.0.2.1 never sent it", true},
		{"dropped between", 0, way + time.Second, time.Minute, "in b and not in a, where its other segments come later: it was dropped", true},
		{"after the end of the other capture", way + 20*time.Second, 0, 0, "", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			var files [2]bytes.Buffer
			clocks := [2]time.Time{begin, begin.Add(ahead)}
			rstAt := [2]time.Duration{x.atA, x.atB}
			for i := range files {
				m := wiretest.New(&files[i], begin)
				send := func(at time.Duration, s wiretest.Segment) {
					m.Now = clocks[i].Add(at)
					m.Send(&s)
				}
				d := time.Duration(i) * way // the client is nearer to the first
				back := 2*way - d
				send(d, wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN})
				send(back, wiretest.Segment{From: server, To: client, Seq: 5000, Ack: 1001, Flags: wiretest.SYN | wiretest.ACK})
				send(2*way+d, wiretest.Segment{From: client, To: server, Seq: 1001, Ack: 5001, Flags: wiretest.ACK, Window: 9, Payload: []byte("hello")})
				if rstAt[i] != 0 {
					send(rstAt[i], rst)
				}
				if x.end != 0 {
					send(x.end, wiretest.Segment{From: client, To: netip.MustParseAddrPort("192.0.2.9:1"), Seq: 7, Flags: wiretest.SYN})
				}
			}
			c := wire.Compare(sightingsOf(t, &files[0]), sightingsOf(t, &files[1]), [2]string{"a", "b"})
			if c.Ahead != ahead || c.Way != way {
				t.Errorf("%v ahead, %v on the way; want %v, %v", c.Ahead, c.Way, ahead, way)
			}
			got := slices.Collect(c.Each)
			if x.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || !strings.Contains(got[0].Text, x.want) || got[0].Elsewhere != x.elsewhere {
				t.Errorf("got %+v, want %q", got, x.want)
			}
		})
	}
}

// A difference is of one connection, not of a later one with the same addresses.
func TestCompareKeepsConnectionsApart(t *testing.T) {
	var files [2]bytes.Buffer
	var records []model.Record
	for i := range files {
		m := wiretest.New(&files[i], begin)
		for n := range uint32(3) {
			c := m.Open(client, server, 1000+100_000*n, 5000+100_000*n)
			if n == 2 {
				c.Close(0)
			} else if i == 0 { // the second capture has none of the RSTs
				c.Flag(1, wiretest.RST|wiretest.ACK)
			}
			m.Now = m.Now.Add(time.Second)
		}
		if i == 0 {
			records = readFrom(t, bytes.NewBuffer(files[0].Bytes()), wire.Options{Local: []netip.Prefix{netip.PrefixFrom(client.Addr(), 32)}})
		}
	}
	c := wire.Compare(sightingsOf(t, &files[0]), sightingsOf(t, &files[1]), [2]string{"a", "b"})
	told := map[wire.Difference]bool{}
	for i := range records {
		all := c.Of(&records[i].Teardown)
		for _, d := range all {
			told[d] = true
		}
		if want := map[bool]int{true: 1, false: 0}[i < 2]; len(all) != want {
			t.Errorf("%s: %+v, want %d", story(&records[i]), all, want)
		}
	}
	if len(records) != 3 || len(told) != 2 {
		t.Errorf("%d ends, want 3; %d differences, want 2", len(records), len(told))
	}
}
