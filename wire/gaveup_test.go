package wire_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// A kernel that has given up answers what comes when the path is whole again with RST: that
// is no abort, and says nothing new.
func TestResetAfterGivingUp(t *testing.T) {
	const (
		gaveUp = "w1a 10.0.0.1:40000 abortive retransmit-timeout none local-kernel inferred"
		closed = "w1a 10.0.0.1:40000 abortive retransmit-timeout peer local-kernel inferred"
		abort  = "w1a 10.0.0.1:40000 abortive local-abort peer local-app inferred"
		orphan = "w1a 10.0.0.1:40000 abortive local-abort both local-app inferred"
		by     = "w1b 192.0.2.1:443 abortive peer-reset both peer inferred"
		reset  = "w1b 192.0.2.1:443 abortive peer-reset local peer inferred"
	)
	for _, x := range []struct {
		name   string
		tries  int
		healed time.Duration
		goesOn bool
		closes bool
		want   []string
	}{
		{"soon", 3, 2 * time.Second, false, false, []string{closed, reset}},
		{"later", 3, 20 * time.Second, false, false, []string{gaveUp, reset}},
		{"sent again once", 1, 2 * time.Second, false, false, []string{abort, reset}},
		{"it goes on", 3, 20 * time.Second, true, false, []string{gaveUp, abort, reset}},
		{"it had closed", 3, 0, false, true, []string{orphan, by}},
	} {
		t.Run(x.name, func(t *testing.T) {
			check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
				p := &peer{m: m, at: [2]netip.AddrPort{client, server}, next: [2]uint32{1000, 5000}}
				p.handshake()
				p.to(0, psh|ack, "request")
				for n := range x.tries {
					later(m, 200*time.Millisecond<<n)
					p.next[0] -= 7
					p.to(0, psh|ack, "request")
				}
				for range int(x.healed / time.Second) {
					later(m, time.Second)
				}
				if x.closes {
					p.to(0, fin|ack, "")
					later(m, 300*time.Millisecond)
				}
				if x.goesOn {
					p.to(1, ack, "")
					p.to(0, psh|ack, "more of")
				}
				p.next[0] -= 7
				if x.closes {
					p.next[0]--
				}
				p.to(1, fin|ack, "")
				p.to(0, rst, "")
				later(m, 5*time.Second)
			}), x.want...)
		})
	}
}
