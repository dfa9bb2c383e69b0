package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// strayScenarios: the kernel answers with RST for a connection that it does not
// have, or has only a minisock of.
func strayScenarios() []Scenario {
	return []Scenario{
		{Name: "stray-no-listener", Group: "stray", run: func(s *stage) {
			l := s.b().listen(loopback4)
			l.finish()
			a := s.a().open(loopback4)
			a.prepare(l)
			a.mustFail(unix.ECONNREFUSED, request{Op: "connect", FD: a.fd, Addr: l.local})
			truth := failedOpen(model.CauseRefused, model.InitiatorPeer, model.Peer)
			truth.RST = gotRST
			s.end(a, truth)
			s.stray(a, model.StrayNoListener)
			a.finish()
		}},
		{Name: "stray-after-kill", Group: "stray", run: func(s *stage) {
			b, a := unreadPair(s) // who has something to read
			a.deaf()
			b.kill(unix.SIGKILL)
			b.over()
			a.send(3) // to nobody, again and again
			s.end(b, aborted(model.CauseUnreadData, model.CallExit).signalled(9).unread(10)).Answered = true
			s.stray(a, model.StrayEnded)
			s.answered(a)
			a.endVanished(vanished())
		}},
		{Name: "stray-behind-listener", Group: "stray", run: func(s *stage) {
			l := s.b().listen(loopback4)
			a := s.a().open(loopback4)
			a.connect(l)
			b := l.accept(a)
			a.deaf()
			b.linger(0)
			b.close()
			b.over()
			a.send(3)
			s.end(b, aborted(model.CauseLingerZero, model.CallClose)).Answered = true
			s.stray(a, model.StrayEnded).Listener = true
			s.answered(a)
			a.endVanished(vanished())
			l.finish()
		}},
		{Name: "reset-to-minisock", Group: "late-data", run: func(s *stage) {
			// a server that closes first, and a client that then closes with unread data
			a, b := s.pair()
			a.send(10)
			b.holds(10)
			a.closeForMinisock(b)
			b.close()
			b.over()
			truth := finActive(model.CallClose).from(model.FinWait2, sentFIN)
			later := peerReset().first(model.InitiatorLocal).from(model.StateUnknown, sentFIN)
			later.TimeWait = no
			later.Counter = "-"
			truth.Outcome = &later
			truth.RST = model.RST{}
			e := s.end(a, truth)
			e.Invisible, e.Hooked = "tracepoints do not show what a minisock receives", true
			s.end(b, aborted(model.CauseUnreadData, model.CallClose).from(model.CloseWait, gotFIN).first(model.InitiatorPeer).unread(10))
		}},
		{Name: "port-reused-minisock", Group: "late-data", run: func(s *stage) {
			// b's host has forgotten the connection, and uses the port again.
			a, b := s.pair()
			_, next := a.sequences()
			a.closeForMinisock(b)
			b.deaf()
			a.forge(flagSYN, next, 0)
			s.end(a, finActive(model.CallClose).from(model.FinWait2, sentFIN)).Answered = true
			b.endVanished(vanished().first(model.InitiatorPeer).from(model.CloseWait, gotFIN))
		}},
	}
}

// stray notes that from's peer, which is no more, answers it with RST.
func (s *stage) stray(from *sock, why model.StrayReason) *Stray {
	s.result.Strays = append(s.result.Strays, Stray{Local: unmap(from.peer), Peer: unmap(from.local), Why: why})
	return &s.result.Strays[len(s.result.Strays)-1]
}

// answered waits until a RST has been sent for what from has sent.
func (s *stage) answered(from *sock) {
	before := s.before["OutRsts"]
	s.eventually("a RST to be sent", func() (bool, string) {
		now, err := readCounters()
		s.check("read counters", err)
		const own = 1 // the abort's
		return now["OutRsts"] > before+own, ""
	})
}
