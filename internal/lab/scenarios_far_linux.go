package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// farScenarios: who made a RST, this host or the peer? A peer behind a network
// device, and a firewall that rejects.
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
			s.rejectOutput(farPort.Port())
			a.send(5)
			a.over()
			a.recvError(unix.ECONNRESET)
			s.end(a, here.unacked(5))
			a.finish()
		}},
		{Name: "peer-resets-while-corked", Group: "far", run: func(s *stage) {
			// Nothing is under way and there is something to send, as after a rejection.
			// It is sent after 200 ms, which a slow machine may take.
			s.sysctl("ipv4/tcp_timestamps", "0")
			a, b := s.pair()
			b.deaf()
			a.set(unix.SOL_TCP, unix.TCP_CORK, 1)
			a.send(5)
			b.linger(0)
			b.close()
			a.over()
			a.recvError(unix.ECONNRESET)
			s.end(a, peerReset().unacked(5))
			s.end(b, aborted(model.CauseLingerZero, model.CallClose))
			a.finish()
		}},
		{Name: "firewall-resets", Group: "far", Needs: []Feature{Firewall}, run: func(s *stage) {
			a, b := s.pair()
			s.rejectOutput(b.local.Port())
			a.send(5)
			a.over()
			a.recvError(unix.ECONNRESET)
			s.end(a, here.unacked(5))
			a.finish()
			b.endVanished(vanished()).Answered = true // the RST was in its name
		}},
		{Name: "firewall-resets-fin", Group: "far", Needs: []Feature{Firewall}, run: func(s *stage) {
			a, b := s.pair()
			s.rejectOutput(b.local.Port())
			a.close()
			a.over()
			s.end(a, here.from(model.FinWait1, noFIN).by(model.CallClose))
			b.endVanished(vanished()).Answered = true // the RST was in its name
		}},
		{Name: "translated-addresses", Group: "far", Needs: []Feature{Firewall, NAT}, run: translated},
		{Name: "firewall-refuses", Group: "far", Needs: []Feature{Firewall}, run: func(s *stage) {
			l := s.b().listen(loopback4)
			s.rejectOutput(l.local.Port())
			a := s.a().open(loopback4)
			a.prepare(l)
			a.mustFail(unix.ECONNREFUSED, request{Op: "connect", FD: a.fd, Addr: l.local})
			truth := failedOpen(model.CauseRefused, model.InitiatorLocal, model.LocalKernel)
			truth.RST = gotRST
			s.end(a, truth)
			a.finish()
		}},
	}
}
