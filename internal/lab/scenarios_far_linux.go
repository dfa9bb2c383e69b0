package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// farScenarios: the peer is behind a network device. Who made a RST, this host
// or the peer, shows only here: between two ends on lo all are alike.
func farScenarios() []Scenario {
	here := peerReset().first(model.InitiatorLocal)
	here.Terminator = model.LocalKernel
	return []Scenario{
		{Name: "far-peer-resets", Group: "far", Needs: []Feature{Tunnel}, run: func(s *stage) {
			a, f := s.farPair()
			f.send(flagRST, 0)
			a.over()
			a.recvError(unix.ECONNRESET)
			s.end(a, peerReset())
			a.finish()
		}},
		{Name: "reset-made-here", Group: "far", Needs: []Feature{Tunnel}, run: func(s *stage) {
			// As nf_send_reset() does: from the peer's address, and by lo.
			a, f := s.farPair()
			a.forge(flagRST, f.seq, f.ack)
			a.over()
			a.recvError(unix.ECONNRESET)
			s.end(a, here)
			a.finish()
		}},
		{Name: "reset-made-here-while-sending", Group: "far", Needs: []Feature{Tunnel, Firewall}, run: func(s *stage) {
			// The firewall answers inside the call that sends.
			a, _ := s.farPair()
			s.rejectOutput()
			a.send(5)
			a.over()
			a.recvError(unix.ECONNRESET)
			s.end(a, here.unacked(5))
			a.finish()
		}},
	}
}
