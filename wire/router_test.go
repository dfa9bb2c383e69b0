package wire_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// router makes what a router captures on both of its interfaces, as Linux cooked v2:
// number 1 is the client's, 2 the server's. Segments that pass it lose one TTL.
type router struct {
	file bytes.Buffer
	now  time.Time
	id   uint16
	old  bool // Linux cooked v1, which has only whether a packet comes in or goes out
}

func newRouter() *router {
	r := &router{now: begin}
	r.file.Write([]byte{0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0x14, 1, 0, 0})
	return r
}

// newOldRouter makes the same as Linux cooked v1.
func newOldRouter() *router {
	r := newRouter()
	r.old = true
	binary.LittleEndian.PutUint32(r.file.Bytes()[20:], 113)
	return r
}

// capture writes s on the given interfaces, in this order.
func (r *router) capture(s wiretest.Segment, on ...uint32) {
	r.id++
	var ethernet bytes.Buffer
	m := wiretest.New(&ethernet, r.now)
	skip := ethernet.Len() + 16 + 14
	m.Send(&s)
	ip := ethernet.Bytes()[skip:]
	binary.BigEndian.PutUint16(ip[4:], r.id)
	for _, device := range on {
		b := binary.LittleEndian.AppendUint32(nil, uint32(r.now.Unix()))
		b = binary.LittleEndian.AppendUint32(b, uint32(r.now.Nanosecond()))
		cooked := make([]byte, 20)
		cooked[0] = 8
		binary.BigEndian.PutUint32(cooked[4:], device)
		if r.old {
			cooked = make([]byte, 16)
			cooked[14] = 8
			if (device == 2) == (s.From == client) {
				cooked[1] = 4
			}
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(len(cooked)+len(ip)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(cooked)+len(ip)))
		r.file.Write(append(append(b, cooked...), ip...))
		ip[8]--
		r.now = r.now.Add(10 * time.Microsecond)
	}
}

// open writes a handshake and a request.
func (r *router) open() {
	r.capture(wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN}, 1, 2)
	r.capture(wiretest.Segment{From: server, To: client, Seq: 5000, Ack: 1001, Flags: wiretest.SYN | wiretest.ACK}, 2, 1)
	r.capture(wiretest.Segment{From: client, To: server, Seq: 1001, Ack: 5001, Flags: wiretest.ACK, Window: 99}, 1, 2)
	r.capture(wiretest.Segment{From: client, To: server, Seq: 1001, Ack: 5001, Flags: wiretest.ACK, Window: 99, Payload: []byte("hello")}, 1, 2)
	r.capture(wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.ACK, Window: 99}, 2, 1)
}

// A router's capture has each segment twice. A segment captured once was made or dropped
// there.
func TestRouter(t *testing.T) {
	t.Run("forwarded", func(t *testing.T) {
		r := newRouter()
		r.open()
		r.capture(wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.RST | wiretest.ACK}, 2, 1)
		records := readFrom(t, &r.file, wire.Options{})
		check(
			t, records,
			"w1a 10.0.0.1:40000 abortive peer-reset peer peer certain",
			"w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
		)
		if n := records[0].Teardown.TCP.Retransmits; !n.Is(0) {
			t.Errorf("%v retransmissions, want none: copies are none", n)
		}
		if n := records[0].Teardown.TCP.Segments; !n.Out.Is(3) || !n.In.Is(3) {
			t.Errorf("segments %+v, want 3 and 3", n)
		}
	})
	t.Run("made there", func(t *testing.T) {
		for _, r := range []*router{newRouter(), newOldRouter()} {
			r.open()
			r.capture(wiretest.Segment{From: client, To: server, Seq: 1006, Ack: 5001, Flags: wiretest.ACK, Window: 99, Payload: []byte("more")}, 1)
			r.capture(wiretest.Segment{From: server, To: client, Seq: 5001, Flags: wiretest.RST}, 1)
			check(t, readFrom(t, &r.file, wire.Options{}), "w1a 10.0.0.1:40000 abortive peer-reset none network inferred")
		}
	})
	t.Run("dropped there", func(t *testing.T) {
		for _, another := range []bool{false, true} { // that answers what was under way, with an older number, and is forwarded
			r := newRouter()
			r.open()
			r.capture(wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.RST | wiretest.ACK}, 2)
			if another {
				r.capture(wiretest.Segment{From: server, To: client, Seq: 4990, Flags: wiretest.RST}, 2, 1)
			}
			records := readFrom(t, &r.file, wire.Options{})
			check(
				t, records,
				"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred",
				"w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
			)
			if why := records[0].Teardown.ConfidenceReason; !strings.Contains(why, "dropped there") {
				t.Errorf("reason %q", why)
			}
		}
	})
}

// A capture before a router on the way to an end can't say that a RST arrived there; if
// that end goes on later, it is reported again.
func TestResetThatDoesNotArrive(t *testing.T) {
	for ttl, want := range map[uint8]string{64: "certain", 128: "certain", 63: "inferred", 52: "inferred"} {
		for _, goesOn := range []bool{false, true} {
			records := play(t, wire.Options{Local: []netip.Prefix{netip.PrefixFrom(client.Addr(), 32)}}, func(m *wiretest.Maker) {
				send := func(from, to netip.AddrPort, seq, ack uint32, flags, ttl uint8, data string) {
					m.Send(&wiretest.Segment{From: from, To: to, Seq: seq, Ack: ack, Flags: flags, TTL: ttl, Window: 99, Payload: []byte(data)})
				}
				send(client, server, 1000, 0, wiretest.SYN, ttl, "")
				send(server, client, 5000, 1001, wiretest.SYN|wiretest.ACK, 60, "")
				send(client, server, 1001, 5001, wiretest.ACK, ttl, "")
				send(server, client, 5001, 1001, wiretest.RST|wiretest.ACK, 60, "")
				later(m, 5*time.Second)
				if goesOn {
					send(client, server, 1001, 5001, wiretest.ACK, ttl, "hello")
					later(m, time.Second)
					send(client, server, 1001, 5001, wiretest.ACK, ttl, "hello")
				}
			})
			told := []string{"w1a 10.0.0.1:40000 abortive peer-reset peer peer " + want}
			if goesOn {
				told = append(told, "w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred")
			}
			check(t, records, told...)
		}
	}
}

// A client that goes on after a refusal or an ICMP error has not failed yet.
func TestConnectsAfterRefusal(t *testing.T) {
	for _, pause := range []time.Duration{500 * time.Millisecond, 4 * time.Second} {
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN})
			m.Send(&wiretest.Segment{From: server, To: client, Ack: 1001, Flags: wiretest.RST | wiretest.ACK})
			later(m, pause)
			m.Open(client, server, 1000, 5000).Close(0)
		})
		last := records[len(records)-2:]
		if k := last[0].Kind; pause > time.Second && k != model.KindOutcome || pause < time.Second && len(records) != 2 {
			t.Errorf("after %v: %d records, the first of the last two is %v", pause, len(records), k)
		}
		check(
			t, last,
			"w1a 10.0.0.1:40000 graceful fin local local-app certain",
			"w1b 192.0.2.1:443 graceful fin peer peer certain",
		)
	}
}

// icmp writes an ICMP error of that type and code about a SYN of the client.
func icmp(m *wiretest.Maker, kind, code uint8, seq uint32) {
	var quoted bytes.Buffer
	q := wiretest.New(&quoted, m.Now)
	skip := quoted.Len() + 16 + 14
	q.Send(&wiretest.Segment{From: client, To: server, Seq: seq, Flags: wiretest.SYN})
	ip := quoted.Bytes()[skip:]
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, byte(28 + len(ip)), 0, 1, 0, 0, 64, 1, 0, 0, 10, 9, 9, 9}
	b = append(append(b, client.Addr().AsSlice()...), kind, code, 0, 0, 0, 0, 0, 0)
	m.Packet(append(b, ip...))
}

// An ICMP error about a SYN ends the attempt, unless the connection opens all the same
// (one of several ways, a forged error); one that asks for smaller segments ends nothing.
func TestOpensAfterUnreachable(t *testing.T) {
	const failed = "w1a 10.0.0.1:40000 failed-open unreachable none network certain"
	opened := []string{"w1a 10.0.0.1:40000 graceful fin local local-app certain", "w1b 192.0.2.1:443 graceful fin peer peer certain"}
	open := func(m *wiretest.Maker, synAck bool) {
		u := used{1000, 5000}
		if synAck {
			u.client++
			u.send(m, 1, wiretest.SYN|wiretest.ACK, "")
		}
		u = used{1001, 5001}
		u.say(m)
		u.fin(m, 0)
		u.fin(m, 1)
	}
	for _, pause := range []time.Duration{20 * time.Millisecond, 5 * time.Second} {
		for _, synAck := range []bool{true, false} {
			records := play(t, wire.Options{}, func(m *wiretest.Maker) {
				m.Send(&wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN})
				icmp(m, 3, 1, 1000)
				later(m, pause)
				open(m, synAck)
			})
			check(t, records[max(len(records)-2, 0):], opened...)
			if (len(records) == 3) != (pause > time.Second) {
				t.Errorf("after %v: %d records", pause, len(records))
			}
		}
	}
	for icmpError, want := range map[[2]uint8][]string{
		{3, 1}: {failed}, {3, 4}: nil,
		{11, 0}: {strings.Replace(failed, "certain", "inferred", 1)}, {11, 1}: nil,
	} {
		check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN})
			icmp(m, icmpError[0], icmpError[1], 1000)
		}), want...)
	}
}

// Without the SYN's number, which a short capture cuts off, it may be about another one.
func TestUnreachableWithoutNumber(t *testing.T) {
	check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
		var file bytes.Buffer
		icmp(wiretest.New(&file, begin), 3, 1, 1000)
		m.Send(&wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN})
		m.Packet(file.Bytes()[24+16 : file.Len()-16])
	}), "w1a 10.0.0.1:40000 failed-open unreachable none network inferred")
}

// The error of an attempt is the one that Linux makes of the ICMP error (icmp_err_convert of
// net/ipv4/icmp.c).
func TestErrorsOfICMP(t *testing.T) {
	for code, want := range map[uint8]string{1: "EHOSTUNREACH", 6: "ENETUNREACH", 9: "ENETUNREACH", 10: "EHOSTUNREACH", 11: "ENETUNREACH", 12: "EHOSTUNREACH", 13: "EHOSTUNREACH"} {
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN})
			icmp(m, 3, code, 1000)
		})
		if len(records) != 1 {
			t.Fatalf("code %d: %d records, want 1", code, len(records))
		}
		if got := records[0].Teardown.Evidence.SoftError; got != want {
			t.Errorf("code %d: %q, want %s", code, got, want)
		}
	}
}

// A SYN on a live tuple: with a RST after it, or a handshake, its sender had lost the
// connection.
func TestPeerRestart(t *testing.T) {
	script := func(reset bool) func(m *wiretest.Maker) {
		return func(m *wiretest.Maker) {
			m.Open(client, server, 1000, 5000).Say(0, []byte("hello"))
			m.Now = m.Now.Add(time.Minute)
			if reset {
				m.Send(&wiretest.Segment{From: client, To: server, Seq: 900000, Flags: wiretest.SYN})
				m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.ACK, Window: 99})
				m.Send(&wiretest.Segment{From: client, To: server, Seq: 1006, Flags: wiretest.RST})
				m.Now = m.Now.Add(time.Second)
			}
			m.Open(client, server, 900000, 70000).Close(0)
		}
	}
	graceful := []string{
		"w2a 10.0.0.1:40000 graceful fin local local-app certain",
		"w2b 192.0.2.1:443 graceful fin peer peer certain",
	}
	records := play(t, wire.Options{}, script(true))
	check(t, records, append([]string{
		"w1a 10.0.0.1:40000 abortive local-abort local local-app inferred",
		"w1b 192.0.2.1:443 abortive peer-reset peer peer inferred",
	}, graceful...)...)
	if why := records[1].Teardown.ConfidenceReason; !strings.Contains(why, "SYN of the peer") {
		t.Errorf("reason %q", why)
	}
	check(t, play(t, wire.Options{}, script(false)), append([]string{
		"w1b 192.0.2.1:443 abortive peer-restart unknown local-kernel inferred",
	}, graceful...)...)
}

// A FIN that is retransmitted without an answer has timed out, even if the other side
// retransmits its own.
func TestLastFINUnanswered(t *testing.T) {
	check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
		m.Open(client, server, 1000, 5000)
		fin := func(from, to netip.AddrPort, seq, ack uint32) {
			m.Send(&wiretest.Segment{From: from, To: to, Seq: seq, Ack: ack, Flags: wiretest.FIN | wiretest.ACK, Window: 99})
		}
		for wait := 100 * time.Millisecond; wait < 5*time.Second; wait *= 2 {
			fin(client, server, 1001, 5001)
			m.Now = m.Now.Add(time.Millisecond)
			fin(server, client, 5001, 1002)
			m.Now = m.Now.Add(wait)
		}
		later(m, time.Minute)
	}), "w1b 192.0.2.1:443 abortive retransmit-timeout peer local-kernel inferred")
}

// An end that sends its acknowledged FIN again did not get the acknowledgement: a RST that
// answers it may have ended it. A RST that answers nothing is of a peer that has finished.
func TestResetOfLastFIN(t *testing.T) {
	for again, want := range map[bool]string{true: "inferred", false: "certain"} {
		check(
			t, play(t, wire.Options{}, func(m *wiretest.Maker) {
				u := used{1000, 5000}
				u.say(m)
				u.fin(m, 0)
				last := u
				u.fin(m, 1)
				m.Now = m.Now.Add(200 * time.Millisecond)
				if again {
					last.send(m, 1, wiretest.FIN|wiretest.ACK, "")
				}
				m.Send(&wiretest.Segment{From: client, To: server, Seq: u.client, Flags: wiretest.RST})
			}),
			"w1a 10.0.0.1:40000 graceful fin local local-app certain",
			"w1b 192.0.2.1:443 graceful fin peer peer "+want,
		)
	}
}

// What the capture lacks may have been a FIN: who began is not certain.
func TestResetAfterWhatIsLacking(t *testing.T) {
	for ack, want := range map[uint32]string{1006: "certain", 1007: "inferred"} {
		check(
			t, play(t, wire.Options{Local: []netip.Prefix{netip.PrefixFrom(client.Addr(), 32)}}, func(m *wiretest.Maker) {
				m.Open(client, server, 1000, 5000).Say(0, []byte("hello"))
				m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: ack, Flags: wiretest.RST | wiretest.ACK})
			}),
			"w1a 10.0.0.1:40000 abortive peer-reset peer peer "+want,
		)
	}
}
