package wire_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// A RST whose sender goes on was forged, also if it does so long after the ends were
// reported, and what the other end answers to that ends its connection.
func TestResetOutlivedLate(t *testing.T) {
	for _, x := range []struct {
		name   string
		ttl    uint8
		script func(p *peer)
		more   []string
	}{
		{"goes on", 64, func(p *peer) {
			p.to(1, psh|ack, "data")
			p.to(0, rst, "")
		}, []string{
			"w1a 10.0.0.1:40000 abortive peer-reset none network inferred",
			"w1b 192.0.2.1:443 abortive peer-reset peer peer inferred",
		}},
		{"goes on, as its TTL had shown", 70, func(p *peer) {
			p.to(1, psh|ack, "data")
			p.to(0, rst, "")
		}, []string{"w1b 192.0.2.1:443 abortive peer-reset peer peer inferred"}},
		{"sends again what it had sent", 64, func(p *peer) {
			p.next[1] -= 5
			p.to(1, psh|ack, "hello")
			p.to(0, rst, "")
		}, nil},
		{"sends nothing", 64, func(*peer) {}, nil},
	} {
		t.Run(x.name, func(t *testing.T) {
			first := resetByServer
			if x.ttl != 64 {
				first = []string{"w1a 10.0.0.1:40000 abortive peer-reset none network inferred"}
			}
			check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
				p := &peer{m: m, at: [2]netip.AddrPort{client, server}, next: [2]uint32{1000, 5000}}
				p.handshake()
				p.to(1, psh|ack, "hello")
				p.to(0, ack, "")
				m.Send(&wiretest.Segment{From: server, To: client, Seq: p.next[1], Ack: p.next[0], Flags: rst | ack, Window: 500, TTL: x.ttl})
				for range 5 {
					later(m, time.Second)
				}
				x.script(p)
				later(m, 5*time.Second)
			}), append(slices.Clone(first), x.more...)...)
		})
	}
}
