package wire_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// A segment that is captured whole on one interface and in pieces on another, in either
// order, was sent once; one that is sent again on the first one was sent twice.
func TestPieces(t *testing.T) {
	const pieces, size = 5, 1000
	part := func(n, of int) wiretest.Segment {
		return wiretest.Segment{
			From: server, To: client, Seq: 5001 + uint32(n*size), Ack: 1006,
			Flags: wiretest.ACK, Window: 99, Payload: []byte(strings.Repeat("x", of*size)),
		}
	}
	split := func(r *router, device uint32) {
		for n := range pieces {
			r.capture(part(n, 1), device)
		}
	}
	for _, x := range []struct {
		name   string
		script func(r *router)
		again  uint32
	}{
		{"whole, then pieces", func(r *router) { r.capture(part(0, pieces), 2); split(r, 1) }, 0},
		{"pieces, then whole", func(r *router) { split(r, 2); r.capture(part(0, pieces), 1) }, 0},
		{"sent again", func(r *router) {
			r.capture(part(0, pieces), 2)
			split(r, 1)
			r.now = r.now.Add(2 * time.Millisecond)
			r.capture(part(0, pieces), 2)
			split(r, 1)
		}, 1},
		{"later", func(r *router) {
			r.capture(part(0, pieces), 2)
			r.now = r.now.Add(200 * time.Millisecond)
			split(r, 1)
		}, pieces},
	} {
		r := newRouter()
		r.open()
		x.script(r)
		r.capture(wiretest.Segment{From: server, To: client, Seq: 5001 + pieces*size, Ack: 1006, Flags: wiretest.RST | wiretest.ACK}, 2, 1)
		records := readFrom(t, &r.file, wire.Options{})
		check(
			t, records,
			"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred",
			"w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
		)
		if n := records[1].Teardown.TCP.Retransmits; !n.Is(x.again) {
			t.Errorf("%s: %v retransmissions, want %d", x.name, n, x.again)
		}
	}
}

// Retransmissions that all come at once are of one loss: no timer made them.
func TestBurstIsNoTimeout(t *testing.T) {
	for pause, want := range map[time.Duration]string{
		time.Millisecond:       "local-abort local local-app",
		400 * time.Millisecond: "retransmit-timeout none local-kernel",
	} {
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			p := &peer{m: m, at: [2]netip.AddrPort{client, server}, next: [2]uint32{1000, 5000}}
			p.handshake()
			for range 4 {
				p.to(1, psh|ack, "data")
				p.next[1] -= 4
				later(m, pause)
			}
			p.next[1] += 4
			p.to(1, rst|ack, "")
		})
		check(
			t, records,
			"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred",
			"w1b 192.0.2.1:443 abortive "+want+" inferred",
		)
	}
}
