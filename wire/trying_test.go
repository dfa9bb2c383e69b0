package wire_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// An end that was sending the same again, or probed a closed window, may have given up before
// the peer's RST came: it is not certain that it got that.
func TestResetOfWhoMayHaveGivenUp(t *testing.T) {
	for _, x := range []struct {
		name   string
		window uint16
		again  []time.Duration // before each time it is sent again
		wait   time.Duration   // and then for the RST
		want   string
	}{
		{"sent again", 500, []time.Duration{200 * time.Millisecond}, time.Second, "peer-reset peer peer inferred"},
		{"a moment ago", 500, []time.Duration{10 * time.Millisecond}, time.Millisecond, "peer-reset peer peer certain"},
		{"closed window", 0, []time.Duration{200 * time.Millisecond}, 100 * time.Millisecond, "peer-reset peer peer inferred"},
		{"closed window, no longer probed", 0, []time.Duration{200 * time.Millisecond, 400 * time.Millisecond}, 1900 * time.Millisecond, "user-timeout none local-kernel inferred"},
	} {
		t.Run(x.name, func(t *testing.T) {
			check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
				p := &peer{m: m, at: [2]netip.AddrPort{client, server}, next: [2]uint32{1000, 5000}}
				p.handshake()
				p.to(0, psh|ack, "first")
				answer := wiretest.Segment{From: server, To: client, Seq: 5001, Ack: p.next[0], Flags: ack, Window: x.window}
				m.Send(&answer)
				p.to(0, psh|ack, "more")
				for _, pause := range x.again {
					later(m, pause)
					p.next[0] -= 4
					p.to(0, psh|ack, "more")
					if x.window == 0 {
						m.Send(&answer)
					}
				}
				later(m, x.wait)
				answer.Flags = rst | ack
				m.Send(&answer)
			}), "w1a 10.0.0.1:40000 abortive "+x.want, "w1b 192.0.2.1:443 abortive local-abort local local-app inferred")
		})
	}
}
