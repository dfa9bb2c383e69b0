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

// peer is one side of a made connection.
type peer struct {
	m    *wiretest.Maker
	at   [2]netip.AddrPort
	next [2]uint32
}

// to writes a segment of a side, 0 for the client's, and counts its numbers.
func (p *peer) to(side int, flags uint8, data string) {
	s := wiretest.Segment{From: p.at[side], To: p.at[1-side], Seq: p.next[side], Flags: flags, Window: 500, Payload: []byte(data)}
	if flags&wiretest.ACK != 0 {
		s.Ack = p.next[1-side]
	}
	p.m.Send(&s)
	p.next[side] += uint32(len(data))
	if flags&(wiretest.SYN|wiretest.FIN) != 0 {
		p.next[side]++
	}
	p.m.Now = p.m.Now.Add(50 * time.Microsecond)
}

func (p *peer) handshake() {
	p.to(0, syn, "")
	p.to(1, syn|ack, "")
	p.to(0, ack, "")
}

func (p *peer) closes(first int) {
	p.to(first, fin|ack, "")
	p.to(1-first, ack, "")
	p.to(1-first, fin|ack, "")
	p.to(first, ack, "")
}

const (
	syn, fin, rst, psh, ack = wiretest.SYN, wiretest.FIN, wiretest.RST, wiretest.PSH, wiretest.ACK
	urg, ece, cwr           = 0x20, 0x40, 0x80
)

var (
	gracefulByClient = []string{
		"w1a 10.0.0.1:40000 graceful fin local local-app certain",
		"w1b 192.0.2.1:443 graceful fin peer peer certain",
	}
	resetByServer = []string{
		"w1a 10.0.0.1:40000 abortive peer-reset peer peer certain",
		"w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
	}
	resetInferred = []string{
		"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred",
		"w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
	}
)

// TestUnusual: what is rare, or made to mislead, is either judged as it is or inferred.
// What each stack does is of RFC 9293, 7413 (TFO), 5961.
func TestUnusual(t *testing.T) {
	for _, x := range []struct {
		name   string
		script func(p *peer)
		want   []string
	}{
		{"numbers wrap", func(p *peer) {
			p.next = [2]uint32{0xfffffffd, 0xfffffffe}
			p.handshake()
			for range 5 {
				p.to(0, psh|ack, "hello")
				p.to(1, psh|ack, "hello")
			}
			p.closes(0)
		}, gracefulByClient},
		{"ECN is negotiated, data is urgent", func(p *peer) {
			p.to(0, syn|ece|cwr, "")
			p.to(1, syn|ack|ece, "")
			p.to(0, ack, "")
			p.to(0, psh|ack|urg, "!")
			p.to(1, ack|ece, "")
			p.to(0, ack|cwr, "x")
			p.to(1, ack, "")
			p.closes(0)
		}, gracefulByClient},
		{"data in the SYN", func(p *peer) {
			p.to(0, syn, "GET /")
			p.to(1, syn|ack, "")
			p.to(1, psh|ack, "answer")
			p.to(0, ack, "")
			p.closes(0)
		}, gracefulByClient},
		{"data in the SYN, refused", func(p *peer) {
			p.to(0, syn, "GET /")
			p.next[1] = 0
			p.to(1, rst|ack, "")
		}, []string{"w1a 10.0.0.1:40000 failed-open refused peer peer inferred"}},
		{"both open at once", func(p *peer) {
			p.to(0, syn, "")
			p.to(1, syn, "")
			p.next[0]--
			p.to(0, syn|ack, "")
			p.next[1]--
			p.to(1, syn|ack, "")
			p.to(0, psh|ack, "hello")
			p.to(1, ack, "")
			p.closes(0)
		}, gracefulByClient},
		{"a RST that says why", func(p *peer) {
			p.handshake()
			p.to(0, psh|ack, "hello")
			p.to(1, ack, "")
			p.to(1, rst|ack, "no such user")
		}, resetByServer},
		{"the server resets before the client has answered the SYN-ACK", func(p *peer) {
			p.to(0, syn, "")
			p.to(1, syn|ack, "")
			p.to(1, rst|ack, "")
		}, []string{
			"w1a 10.0.0.1:40000 failed-open peer-reset peer peer inferred",
			"w1b 192.0.2.1:443 failed-open local-abort local local-app inferred",
		}},
		{"the client resets in answer to the SYN-ACK", func(p *peer) {
			p.to(0, syn, "")
			p.to(1, syn|ack, "")
			p.to(0, rst, "")
		}, []string{"w1a 10.0.0.1:40000 failed-open connect-cancelled none local-app inferred"}},
		{"keepalive probes with a byte of garbage, answered", func(p *peer) {
			p.handshake()
			p.to(0, psh|ack, "hello")
			p.to(1, ack, "")
			for range 3 {
				p.m.Now = p.m.Now.Add(75 * time.Second)
				p.next[0]--
				p.to(0, ack, "\x00")
				p.to(1, ack, "")
			}
			p.closes(0)
		}, gracefulByClient},
		{"time stamps stand still", func(p *peer) {
			p.handshake()
			at := p.m.Now
			for range 3 {
				p.to(0, psh|ack, "hello")
				p.to(1, ack, "")
			}
			p.m.Now = at
			p.closes(0)
		}, gracefulByClient},
		{"the clock is set back by an hour between the FINs", func(p *peer) {
			p.handshake()
			p.to(0, fin|ack, "")
			p.to(1, ack, "")
			p.m.Now = p.m.Now.Add(-time.Hour)
			p.to(1, fin|ack, "")
			p.to(0, ack, "")
		}, []string{
			"w1a 10.0.0.1:40000 graceful fin peer peer inferred",
			"w1b 192.0.2.1:443 graceful fin local local-app inferred",
		}},
		{"the clock is set back before the RST", func(p *peer) {
			p.handshake()
			p.m.Now = p.m.Now.Add(-time.Hour)
			p.to(1, rst|ack, "")
		}, resetInferred},
		{"the capture drops what is in the middle", func(p *peer) {
			p.handshake()
			p.to(0, psh|ack, "hello")
			p.to(1, ack, "")
			p.next[0] += 900_000
			p.next[1] += 40_000_000
			p.to(0, ack, "")
			p.to(1, psh|ack, "the rest")
			p.to(0, ack, "")
			p.closes(0)
		}, gracefulByClient},
		{"a segment that a network card has put together", func(p *peer) {
			p.handshake()
			p.to(0, psh|ack, "hello")
			p.m.Packet(joined(p, 180_000))
			p.to(0, ack, "")
			p.closes(0)
		}, gracefulByClient},
		{"the window is not known: a blind RST far away", func(p *peer) {
			p.to(0, psh|ack, "hello") // of the middle
			p.to(1, psh|ack, "hello")
			p.next[1] += 30_000
			p.to(1, rst|ack, "")
			p.next[1] -= 30_000
			p.closes(0)
		}, gracefulByClient},
	} {
		t.Run(x.name, func(t *testing.T) {
			check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
				x.script(&peer{m, [2]netip.AddrPort{client, server}, [2]uint32{1000, 5000}})
				later(m, time.Minute)
			}), x.want...)
		})
	}
}

// joined is a packet of the server with more than IP's length can say, as a host with BIG
// TCP captures it: the length is 0.
func joined(p *peer, size int) []byte {
	var file bytes.Buffer
	m := wiretest.New(&file, begin)
	m.Send(&wiretest.Segment{From: p.at[1], To: p.at[0], Seq: p.next[1], Ack: p.next[0], Flags: ack, Window: 500})
	packet := append(file.Bytes()[24+16:], make([]byte, size)...)
	binary.BigEndian.PutUint16(packet[16:], 0)
	p.next[1] += uint32(size)
	return packet
}

// A RST whose checksum is wrong is dropped by its receiver: it is inferred, unless that of
// the SYN is wrong too, which the network card fills in.
func TestChecksumOfReset(t *testing.T) {
	for name, want := range map[string]string{"all right": "certain", "the RST's wrong": "inferred", "all wrong": "certain"} {
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			var made bytes.Buffer
			inner := wiretest.New(&made, m.Now)
			p := &peer{inner, [2]netip.AddrPort{client, server}, [2]uint32{1000, 5000}}
			p.handshake()
			p.to(1, rst|ack, "")
			for data := made.Bytes()[24:]; len(data) > 0; {
				size := binary.LittleEndian.Uint32(data[8:])
				packet := data[16 : 16+size]
				if reset := packet[14+20+13]&rst != 0; name == "all right" || name == "the RST's wrong" && !reset {
					fill(packet[14:])
				}
				m.Packet(packet)
				m.Now = m.Now.Add(time.Millisecond)
				data = data[16+size:]
			}
		})
		if len(records) != 2 {
			t.Fatalf("%s: %d records", name, len(records))
		}
		if got := records[0].Teardown; got.Cause != model.CausePeerReset || got.Confidence.String() != want ||
			want == "inferred" && !strings.Contains(got.ConfidenceReason, "checksum") {
			t.Errorf("%s: %s: %s", name, story(&records[0]), got.ConfidenceReason)
		}
	}
}

// fill puts the checksum of TCP into a packet of IPv4 with an even length.
func fill(ip []byte) {
	sum := uint32(6 + len(ip) - 20)
	for at := 12; at < len(ip); at += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[at:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(ip[36:], ^uint16(sum>>16+sum))
}

// Packets without a time, as in simple packet blocks, are in the order of the file.
func TestWithoutTimes(t *testing.T) {
	var made bytes.Buffer
	m := wiretest.New(&made, begin)
	p := &peer{m, [2]netip.AddrPort{client, server}, [2]uint32{1000, 5000}}
	p.handshake()
	p.to(0, psh|ack, "hello")
	p.to(1, ack, "")
	p.closes(0)
	file := block(0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\x00\x01\x00\x00")) // a section of a terabyte
	file = append(file, block(1, []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})...)
	for data := made.Bytes()[24:]; len(data) > 0; {
		size := binary.LittleEndian.Uint32(data[8:])
		content := append(bytes.Clone(data[8:12]), data[16:16+size]...)
		for len(content)%4 != 0 {
			content = append(content, 0)
		}
		file = append(file, block(3, content)...)
		data = data[16+size:]
	}
	check(t, readFrom(t, bytes.NewBuffer(file), wire.Options{}), gracefulByClient...)
}

// A connection that is open when the capture ends is in it, and has no end.
func TestOpenAtTheEnd(t *testing.T) {
	var seen wire.Sightings
	if records := play(t, wire.Options{Sightings: &seen}, func(m *wiretest.Maker) { m.Open(client, server, 1000, 5000) }); len(records) != 0 {
		t.Errorf("%d records", len(records))
	}
	elsewhere := netip.MustParseAddrPort("192.0.2.9:443")
	if !seen.Has(server, client, 0) || !seen.Has(elsewhere, client, model.NewFingerprint(1000, 5000)) || seen.Has(client, elsewhere, 0) {
		t.Error("the capture has this connection, and no other")
	}
}
