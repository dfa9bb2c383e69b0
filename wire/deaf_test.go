package wire_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// A SYN that was not answered shows nothing where the answer would not be in the capture: it
// has one direction of these hosts only, or nothing else and the SYN was not sent again.
func TestAttemptsInOneDirection(t *testing.T) {
	const (
		timeout = "10.0.0.1:1 failed-open connect-timeout none local-kernel inferred"
		unknown = "10.0.0.1:1 failed-open unknown none unknown inferred"
	)
	other := netip.MustParseAddrPort("192.0.2.7:80")
	talk := func(m *wiretest.Maker, to netip.AddrPort, both bool) {
		for _, s := range []wiretest.Segment{aSYN, aSYNACK, anACK, request, itsFIN, aFIN} {
			if !both && s.From == server {
				continue
			}
			for _, end := range []*netip.AddrPort{&s.From, &s.To} {
				if *end == server {
					*end = to
				}
			}
			m.Send(&s)
		}
	}
	for _, x := range []struct {
		name       string
		here       string // directions of another connection of the two hosts
		elsewhere  string // and of another peer
		again      bool
		want       string
		noReset    bool // known
		retransmit bool
	}{
		{"one direction", "one", "", false, unknown, false, false},
		{"one direction, both with others", "one", "both", true, unknown, false, true},
		{"both directions", "both", "", false, timeout, true, false},
		{"both with others", "", "both", false, timeout, true, false},
		{"one with others", "", "one", false, unknown, false, false},
		{"nothing else", "", "", false, unknown, false, false},
		{"nothing else, again", "", "", true, timeout, true, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			records := play(t, wire.Options{}, func(m *wiretest.Maker) {
				for to, which := range map[netip.AddrPort]string{server: x.here, other: x.elsewhere} {
					if which != "" {
						talk(m, to, which == "both")
					}
				}
				m.Now = m.Now.Add(time.Second)
				s := wiretest.Segment{From: netip.MustParseAddrPort("10.0.0.1:1"), To: server, Seq: 7, Flags: wiretest.SYN}
				m.Send(&s)
				if x.again {
					m.Now = m.Now.Add(time.Second)
					m.Send(&s)
				}
				later(m, 20*time.Second)
			})
			var end *model.Teardown
			for i := range records {
				if e := &records[i].Teardown; e.Network.Local.Port == 1 {
					end = e
					if got := story(&records[i]); got[len(e.ID)+1:] != x.want {
						t.Errorf("got %s, want %s", got, x.want)
					}
				}
			}
			if end == nil {
				t.Fatal("no end")
			}
			if end.TCP.RST.Received.Is(false) != x.noReset || end.TCP.Retransmits.Or(0) > 0 != x.retransmit {
				t.Errorf("RST %v, retransmits %v", end.TCP.RST.Received, end.TCP.Retransmits)
			}
		})
	}
}
