package wire_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// The window of a peer of which nothing was captured is not known: it is not a closed one.
func TestWindowOfUncapturedPeer(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		for _, wait := range []time.Duration{0, 1, 2, 4, 8} {
			m.Now = m.Now.Add(wait * time.Second)
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 1001, Ack: 5001, Flags: wiretest.PSH | wiretest.ACK, Payload: []byte("hello"), Window: 9})
		}
		later(m, 5*time.Minute)
	})
	check(t, records, "w1a 10.0.0.1:40000 abortive retransmit-timeout none local-kernel inferred")
	if why := records[0].Teardown.ConfidenceReason; !strings.Contains(why, "nothing of the peer") {
		t.Errorf("inferred because %q", why)
	}
	if w := records[0].Teardown.TCP.PeerWindow; w.Known() {
		t.Errorf("the peer's window is %v", w)
	}
}

// oneDirection writes a request of so many segments and what its sender acknowledges, but
// nothing of the peer; each segment is sent twice.
func oneDirection(m *wiretest.Maker, segments uint32, data string, answers uint32) {
	for n := range segments {
		for range 2 {
			m.Send(&wiretest.Segment{
				From: client, To: server, Seq: 1001 + n*uint32(len(data)), Ack: 5001 + n*answers, Flags: wiretest.PSH | wiretest.ACK, Payload: []byte(data), Window: 9,
			})
			m.Now = m.Now.Add(300 * time.Millisecond)
		}
	}
}

// A capture of one direction lacks all answers: a connection that goes on was answered,
// as new data shows, or the acknowledgement of the peer's.
func TestOneDirectionLives(t *testing.T) {
	check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
		oneDirection(m, 20, "hello", 0)
		later(m, 5*time.Minute)
	}))
	check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
		for n := range uint32(20) { // the same data, other answers
			m.Send(&wiretest.Segment{
				From: client, To: server, Seq: 1001, Ack: 5001 + n*100, Flags: wiretest.PSH | wiretest.ACK, Payload: []byte("hello"), Window: 9,
			})
			m.Now = m.Now.Add(300 * time.Millisecond)
		}
		later(m, 5*time.Minute)
	}))
}

// What the side that is not in the capture sent and acknowledged is not known; a RST of it
// that is in the capture is.
func TestOneDirectionFacts(t *testing.T) {
	for _, reset := range []int{0, 1} {
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			oneDirection(m, 20, "hello", 10)
			s := wiretest.Segment{From: client, To: server, Seq: 1101, Ack: 5191, Flags: wiretest.RST | wiretest.ACK}
			if reset == 1 {
				s.From, s.To, s.Seq, s.Ack = server, client, s.Ack, s.Seq
			}
			m.Send(&s)
		})
		if len(records) != 2 {
			t.Fatalf("got %d ends, want 2", len(records))
		}
		a, b := &records[0].Teardown, &records[1].Teardown
		if a.Confidence != model.Inferred || b.Confidence != model.Inferred {
			t.Errorf("%s, %s: want both inferred", story(&records[0]), story(&records[1]))
		}
		x := &a.TCP
		if x.Bytes.Sent.Known() || x.Bytes.Unacked.Known() || x.Segments.In.Known() || x.FIN.Received.Known() || x.LastSpeaker != model.SideUnknown {
			t.Errorf("known of the peer that was not captured: %+v", x)
		}
		if !x.Bytes.Received.Is(190) || !x.FIN.Sent.Is(false) || !x.Segments.Out.Known() {
			t.Errorf("not known of the side that was captured: %+v", x)
		}
		if x.RST.Received.Known() != (reset == 1) {
			t.Errorf("RST received: %v, and side %d sent one", x.RST.Received, reset)
		}
		y := &b.TCP
		if y.Bytes.Received.Known() || y.Segments.Out.Known() || y.FIN.Sent.Known() || y.Retransmits.Known() || y.RST.Sent.Known() != (reset == 1) {
			t.Errorf("known of the end that was not captured: %+v", y)
		}
	}
}

// The direction of a server shows that the connection was opened, and what the client sent.
func TestOneDirectionOfServer(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 5000, Ack: 1001, Flags: wiretest.SYN | wiretest.ACK, Window: 500})
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1001, Flags: wiretest.ACK, Window: 500})
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1101, Flags: wiretest.ACK, Window: 500})
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1101, Flags: wiretest.RST | wiretest.ACK})
	})
	check(
		t, records,
		"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred",
		"w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
	)
	if b := records[1].Teardown.TCP.Bytes; !b.Received.Is(100) {
		t.Errorf("received %v, want the 100 bytes that it acknowledged", b.Received)
	}
}

// Where the SYNs are not in the capture, the scale of the window is not known: a RST beyond
// the number that the window field has may be in the window.
func TestResetInUnknownWindow(t *testing.T) {
	for _, oneWay := range []bool{false, true} {
		records := play(t, wire.Options{Local: []netip.Prefix{netip.PrefixFrom(client.Addr(), 32)}}, func(m *wiretest.Maker) {
			u := used{1001, 5001}
			if oneWay {
				oneDirection(m, 2, "hello", 0)
			} else {
				u.say(m)
			}
			m.Send(&wiretest.Segment{From: server, To: client, Seq: u.server + 30_000, Ack: u.client, Flags: wiretest.RST | wiretest.ACK})
			later(m, time.Minute)
		})
		check(t, records, "w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred")
	}
}

// A keepalive probe, of no byte or one, has the number before what its sender sends next: at
// the beginning of a capture it is no data.
func TestKeepaliveFirst(t *testing.T) {
	for _, probe := range []string{"", "\x00"} {
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			u := used{1001, 5001}
			(&used{1000, 5001}).send(m, 0, wiretest.ACK, probe)
			u.send(m, 1, wiretest.ACK, "")
			m.Now = m.Now.Add(time.Second)
			u.say(m)
			u.fin(m, 0)
			u.fin(m, 1)
		})
		if len(records) != 2 {
			t.Fatalf("got %d ends, want 2", len(records))
		}
		if b := records[0].Teardown.TCP.Bytes; !b.Sent.Is(5) || !b.Unacked.Is(0) || !b.Retransmitted.Is(0) {
			t.Errorf("probe of %d bytes: %+v, want the 5 of the request", len(probe), b)
		}
	}
}

// What is not reported is counted: connections that were open at the end, and those of which
// the capture has one direction only, whose FINs end nothing. One segment of an earlier
// connection is no direction.
func TestRemarks(t *testing.T) {
	for _, x := range []struct {
		one       bool // direction
		open, had uint64
		want      string
	}{
		{false, 3, 0, "3 connections had not ended when the capture did: they are not reported"},
		{true, 1, 3, "of 3 connections the capture has one direction only: if they ended well, they are not reported"},
	} {
		var file bytes.Buffer
		m := wiretest.New(&file, begin)
		m.Send(&wiretest.Segment{From: client, To: netip.MustParseAddrPort("192.0.2.9:9"), Seq: 7, Ack: 9, Flags: wiretest.ACK, Window: 9})
		for n := range 3 {
			for i, s := range []wiretest.Segment{aSYN, aSYNACK, anACK, request, itsFIN, aFIN} {
				if (n == 0 || i < 4) && (!x.one || s.From != server) {
					m.Now = m.Now.Add(time.Millisecond)
					s = nth(s, n)
					m.Send(&s)
				}
			}
		}
		f, _, err := wire.Open(&file, "made", wire.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range f.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if s := f.Stats(); s.Open != x.open || s.Halved != x.had || !strings.Contains(strings.Join(f.Remarks(), "\n"), x.want) {
			t.Errorf("%d open, %d of one direction, %q; want %d, %d, %q", s.Open, s.Halved, f.Remarks(), x.open, x.had, x.want)
		}
	}
}
