package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// listenerScenarios: connections that nobody had accepted when their listener
// went. Nobody owns them.
func listenerScenarios() []Scenario {
	return []Scenario{
		{Name: "listener-closed", Group: "listener", quick: true, run: func(s *stage) {
			l, a, b := pending1(s)
			l.close()
			b.closer = l.closer
			endAborted(s, b, a, aborted(model.CauseListenerClosed, model.CallClose))
		}},
		{Name: "listener-closed-by-exit", Group: "listener", run: func(s *stage) {
			l, a, b := pending1(s)
			l.exit()
			b.closer = l.closer
			endAborted(s, b, a, aborted(model.CauseListenerClosed, model.CallExit))
		}},
		{Name: "listener-closed-unread-data", Group: "listener", run: func(s *stage) {
			l, a, b := pending1(s)
			a.send(10)
			b.holds(10)
			l.close()
			b.closer = l.closer
			endAborted(s, b, a, aborted(model.CauseListenerClosed, model.CallClose).unread(10))
		}},
		{Name: "listener-closed-after-peer-fin", Group: "listener", run: func(s *stage) {
			l, a, b := pending1(s)
			a.halfClose(b)
			l.close()
			b.closer = l.closer
			s.end(b, aborted(model.CauseListenerClosed, model.CallClose).
				first(model.InitiatorPeer).from(model.CloseWait, gotFIN))
			a.over()
			s.end(a, peerReset().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
			a.finish()
		}},
		{Name: "listener-closed-many", Group: "listener", run: func(s *stage) {
			l := s.b().listen(loopback4)
			var as []*sock
			for range 5 {
				a := s.a().open(loopback4)
				a.connect(l)
				l.child(a).is(model.Established)
				as = append(as, a)
			}
			l.close()
			for _, a := range as {
				b := l.child(a)
				b.closer = l.closer
				endAborted(s, b, a, aborted(model.CauseListenerClosed, model.CallClose))
			}
		}},
		{Name: "listener-destroyed", Group: "listener", Needs: []Feature{SockDestroy}, run: func(s *stage) {
			l, a, b := pending1(s)
			l.peer = anyPort
			l.destroy()
			truth := aborted(model.CauseListenerClosed, model.CallUnknown)
			truth.Terminator = model.TerminatorUnknown // an administrator, but the child's end does not show it
			truth.Closer = l.closer
			endAborted(s, b, a, truth)
			l.finish()
		}},
		{Name: "listener-shut-down", Group: "listener", run: func(s *stage) {
			l, a, b := pending1(s)
			l.shutdown(unix.SHUT_RD) // stops listening, as close does
			b.closer = l.closer
			endAborted(s, b, a, aborted(model.CauseListenerClosed, model.CallShutdown))
			l.finish()
		}},
		{Name: "listener-closed-reset-before", Group: "listener", run: func(s *stage) {
			// The peer resets a connection that waits to be accepted.
			l, a, b := pending1(s)
			a.endReset(aborted(model.CauseLingerZero, model.CallClose))
			b.over()
			s.end(b, peerReset())
			l.close()
		}},
		{Name: "accepted-after-reset", Group: "listener", run: func(s *stage) {
			l, a, b := pending1(s)
			a.endReset(aborted(model.CauseLingerZero, model.CallClose))
			b.over()
			b = l.accept(a)
			b.recvError(unix.ECONNRESET)
			b.owner = Party{} // it ended before anybody accepted it
			truth := peerReset()
			truth.Closer = l.party() // of what was left
			s.end(b, truth)
			b.finish()
		}},
	}
}

// pending1 returns a listener with a connection in its queue, which is b.
func pending1(s *stage) (l, a, b *sock) {
	l = s.b().listen(loopback4)
	a = s.a().open(loopback4)
	a.connect(l)
	b = l.child(a)
	b.is(model.Established)
	return l, a, b
}
