package wire_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// used is a connection of the tuple of client and server without its SYNs: the numbers
// with which its data begins.
type used struct{ client, server uint32 }

// say writes a request, its answer and their acknowledgements.
func (u *used) say(m *wiretest.Maker) {
	const request, answer = "GET /", "hello"
	u.send(m, 0, wiretest.PSH|wiretest.ACK, request)
	u.client += uint32(len(request))
	u.send(m, 1, wiretest.PSH|wiretest.ACK, answer)
	u.server += uint32(len(answer))
	u.send(m, 0, wiretest.ACK, "")
}

func (u *used) send(m *wiretest.Maker, side int, flags uint8, data string) {
	s := wiretest.Segment{From: client, To: server, Seq: u.client, Ack: u.server, Flags: flags, Window: 500, Payload: []byte(data)}
	if side == 1 {
		s.From, s.To, s.Seq, s.Ack = server, client, u.server, u.client
	}
	m.Send(&s)
	m.Now = m.Now.Add(100 * time.Microsecond)
}

// fin is the first FIN and its acknowledgement, or the second.
func (u *used) fin(m *wiretest.Maker, side int) {
	u.send(m, side, wiretest.FIN|wiretest.ACK, "")
	if side == 0 {
		u.client++
	} else {
		u.server++
	}
	u.send(m, 1-side, wiretest.ACK, "")
}

func (u *used) reset(m *wiretest.Maker, side int) {
	u.send(m, side, wiretest.RST|wiretest.ACK, "")
}

// A reused tuple is another connection, even if the capture has no SYN: it is recognised
// by its sequence numbers, however soon, whatever ended the first, and on whichever side
// of the first's they lie.
func TestTupleUsedAgainWithoutSYNs(t *testing.T) {
	first := used{1000, 5000}
	for _, x := range []struct {
		name   string
		second used
	}{
		{"behind the FIN, as Linux does in TIME_WAIT", used{1000 + 65537, 5000 + 900_000}},
		{"a bit later", used{1000 + 80_000_000, 5000 + 81_000_000}},
		{"random numbers", used{0x90000000, 0x70000000}},
		{"random numbers, before", used{0xe0000000, 0xd0000000}},
	} {
		for _, pause := range []time.Duration{time.Millisecond, 1500 * time.Millisecond, 10 * time.Second} {
			t.Run(x.name+" after "+pause.String(), func(t *testing.T) {
				check(
					t, play(t, wire.Options{}, func(m *wiretest.Maker) {
						a, b := first, x.second
						a.say(m)
						a.fin(m, 0)
						a.fin(m, 1)
						m.Now = m.Now.Add(pause)
						b.say(m)
						b.reset(m, 1)
						m.Now = m.Now.Add(time.Millisecond)
						c := used{b.client + 70_000_000, b.server + 70_000_000}
						c.say(m)
						c.fin(m, 1)
						c.fin(m, 0)
					}),
					"w1a 10.0.0.1:40000 graceful fin local local-app certain",
					"w1b 192.0.2.1:443 graceful fin peer peer certain",
					"w2a 10.0.0.1:40000 abortive peer-reset peer peer certain",
					"w2b 192.0.2.1:443 abortive local-abort local local-app inferred",
					"w3a 10.0.0.1:40000 graceful fin peer peer certain",
					"w3b 192.0.2.1:443 graceful fin local local-app certain",
				)
			})
		}
	}
}

// A forged segment with one right number is not another connection.
func TestForgedNumberIsNoReuse(t *testing.T) {
	for _, forged := range []used{{1005, 5005 + 50_000_000}, {1005 + 50_000_000, 5005}, {1005, 0x90000000}} {
		check(
			t, play(t, wire.Options{}, func(m *wiretest.Maker) {
				a := used{1000, 5000}
				a.say(m)
				a.fin(m, 0)
				m.Now = m.Now.Add(time.Millisecond)
				(&used{forged.client + 1, forged.server}).send(m, 0, wiretest.ACK, "")
				m.Now = m.Now.Add(time.Millisecond)
				a.fin(m, 1)
			}),
			"w1a 10.0.0.1:40000 graceful fin local local-app certain",
			"w1b 192.0.2.1:443 graceful fin peer peer certain",
		)
	}
}

// A FIN of the first connection that comes late is not that of the second.
func TestLateFINOfBefore(t *testing.T) {
	check(
		t, play(t, wire.Options{Local: []netip.Prefix{netip.PrefixFrom(client.Addr(), 32)}}, func(m *wiretest.Maker) {
			a := used{1000, 5000}
			a.say(m)
			a.fin(m, 0)
			late := a
			a.fin(m, 1)
			b := used{1000 + 65537, 5000 + 900_000}
			b.say(m)
			late.send(m, 1, wiretest.FIN|wiretest.ACK, "")
			b.say(m)
			b.fin(m, 0)
			b.fin(m, 1)
		}),
		"w1a 10.0.0.1:40000 graceful fin local local-app certain",
		"w2a 10.0.0.1:40000 graceful fin local local-app certain",
	)
}

// A FIN that is retransmitted, and answered by the other side with numbers further on, is
// one connection: its ends have lost each other (seen in a capture of a phone).
func TestEndsThatLostEachOther(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		for wait := 100 * time.Millisecond; wait < 10*time.Second; wait *= 2 {
			(&used{1000, 5000}).send(m, 1, wiretest.FIN|wiretest.ACK, "")
			(&used{1222, 6231}).send(m, 0, wiretest.ACK, "")
			m.Now = m.Now.Add(wait)
		}
		later(m, 5*time.Minute)
	})
	for _, r := range records {
		if r.Teardown.Confidence == model.Certain || !strings.HasPrefix(r.Teardown.ID, "w1") {
			t.Error(story(&r))
		}
	}
}

// A reused tuple of which only the answers to SYNs are in the capture: of one direction, or
// with the second SYN lost. The second connection is one of its own.
func TestTupleUsedAgainWithoutSYN(t *testing.T) {
	answer := func(m *wiretest.Maker, seq, ack uint32) {
		m.Send(&wiretest.Segment{From: server, To: client, Seq: seq, Ack: ack, Flags: wiretest.SYN | wiretest.ACK, Window: 500})
		(&used{ack, seq + 1}).send(m, 1, wiretest.PSH|wiretest.ACK, "hello")
	}
	for _, oneWay := range []bool{true, false} {
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			if oneWay {
				answer(m, 5000, 1001)
			} else {
				m.Open(client, server, 1000, 5000).Say(0, []byte("hello"))
			}
			answer(m, 0x40000000, 0x30000001)
			(&used{0x30000001, 0x40000006}).reset(m, 1)
		})
		check(
			t, records,
			"w2a 10.0.0.1:40000 abortive peer-reset peer peer inferred",
			"w2b 192.0.2.1:443 abortive local-abort local local-app inferred",
		)
		for i := range records {
			if b := records[i].Teardown.TCP.Bytes; b.Received.Or(0)+b.Sent.Or(0) > 5 {
				t.Errorf("%s: bytes %+v, want the 5 of the second connection", story(&records[i]), b)
			}
		}
	}
}

// A SYN with data (RFC 7413) on a live tuple whose answer acknowledges the data, too, opens
// another connection.
func TestTupleUsedAgainByFastOpen(t *testing.T) {
	check(
		t, play(t, wire.Options{}, func(m *wiretest.Maker) {
			m.Open(client, server, 1000, 5000).Say(0, []byte("hello"))
			m.Now = m.Now.Add(time.Minute)
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 900000, Flags: wiretest.SYN, Payload: []byte("GET /")})
			m.Send(&wiretest.Segment{From: server, To: client, Seq: 70000, Ack: 900006, Flags: wiretest.SYN | wiretest.ACK, Window: 500})
			b := used{900006, 70001}
			b.say(m)
			b.fin(m, 0)
			b.fin(m, 1)
		}),
		"w1b 192.0.2.1:443 abortive peer-restart unknown local-kernel inferred",
		"w2a 10.0.0.1:40000 graceful fin local local-app certain",
		"w2b 192.0.2.1:443 graceful fin peer peer certain",
	)
}
