package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

func lingerZeroScenarios() []Scenario {
	abort := aborted(model.CauseLingerZero, model.CallClose)
	return []Scenario{
		{Name: "linger-zero", Group: "linger-zero", quick: true, run: func(s *stage) {
			a, b := s.pair()
			a.linger(0)
			a.close()
			endAborted(s, a, b, abort.unread(0).unacked(0))
		}},
		{Name: "linger-zero-exit", Group: "linger-zero", run: func(s *stage) {
			a, b := s.pair()
			a.linger(0)
			a.exit()
			endAborted(s, a, b, aborted(model.CauseLingerZero, model.CallExit))
		}},
		{Name: "linger-zero-kill-9", Group: "linger-zero", run: func(s *stage) {
			a, b := s.pair()
			a.linger(0)
			a.kill(unix.SIGKILL)
			endAborted(s, a, b, aborted(model.CauseLingerZero, model.CallExit).signalled(9))
		}},
		{Name: "linger-zero-inherited", Group: "linger-zero", run: func(s *stage) {
			l := s.b().listen(loopback4)
			l.linger(0)
			a := s.a().open(loopback4)
			a.connect(l)
			b := l.accept(a)
			b.close()
			endAborted(s, b, a, abort)
		}},
		{Name: "linger-zero-unacked-data", Group: "linger-zero", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.send(5)
			a.linger(0)
			a.close()
			s.end(a, abort.unacked(5))
			b.endVanished(vanished())
		}},
		{Name: "linger-zero-close-wait", Group: "linger-zero", run: func(s *stage) {
			a, b := s.pair()
			b.halfClose(a)
			a.linger(0)
			a.close()
			s.end(a, abort.first(model.InitiatorPeer).from(model.CloseWait, gotFIN))
			b.over()
			s.end(b, peerReset().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
			b.finish()
		}},
		{Name: "linger-zero-fin-wait1", Group: "linger-zero", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.shutdown(unix.SHUT_WR)
			a.is(model.FinWait1)
			a.linger(0)
			a.close()
			s.end(a, abort.from(model.FinWait1, sentFIN))
			b.endVanished(vanished())
		}},
		{Name: "linger-zero-fin-wait2", Group: "linger-zero", run: func(s *stage) {
			a, b := s.pair()
			a.halfClose(b)
			a.linger(0)
			a.close()
			s.end(a, abort.from(model.FinWait2, sentFIN))
			b.over()
			s.end(b, peerReset().from(model.CloseWait, gotFIN))
			b.finish()
		}},
		{Name: "linger-zero-last-ack-unsent", Group: "linger-zero", run: func(s *stage) {
			a, b := lastAckPair(s)
			n := a.fill() // more than b's window: the FIN stays behind it
			a.shutdown(unix.SHUT_WR)
			a.linger(0)
			a.close()
			s.end(a, abort.first(model.InitiatorPeer).from(model.LastAck, gotFIN).unacked(n))
			b.endVanished(vanished().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
		}},
		{Name: "linger-zero-last-ack-sent", Group: "linger-zero", run: func(s *stage) {
			a, b := lastAckPair(s)
			a.send(5)
			a.shutdown(unix.SHUT_WR)
			a.linger(0)
			a.close()
			s.end(a, abort.silently().first(model.InitiatorPeer).
				from(model.LastAck, model.FIN{Received: yes}).unacked(5))
			b.endVanished(vanished().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
		}},
		{Name: "linger-zero-closing-unsent", Group: "linger-zero", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			n := a.fill()
			a.shutdown(unix.SHUT_WR)
			b.shutdown(unix.SHUT_WR)
			a.is(model.Closing)
			a.linger(0)
			a.close()
			// a wanted to close first, but b's FIN was the first to be sent.
			s.end(a, abort.first(model.InitiatorUnknown).from(model.Closing, gotFIN).unacked(n))
			b.endVanished(vanished().first(model.InitiatorLocal).from(model.FinWait1, sentFIN))
		}},
		{Name: "linger-zero-closing-sent", Group: "linger-zero", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.shutdown(unix.SHUT_WR)
			b.shutdown(unix.SHUT_WR)
			a.is(model.Closing)
			a.linger(0)
			a.close()
			s.end(a, abort.silently().first(model.InitiatorBoth).from(model.Closing, bothFIN).unacked(0)).
				Answered = true // when b sends its FIN again
			b.endVanished(vanished().first(model.InitiatorLocal).from(model.FinWait1, sentFIN))
		}},
	}
}

// lastAckPair returns a connection whose end b has closed its sending side and
// hears nothing any more.
func lastAckPair(s *stage) (a, b *sock) {
	a, b = s.pair()
	b.halfClose(a)
	b.deaf()
	return a, b
}
