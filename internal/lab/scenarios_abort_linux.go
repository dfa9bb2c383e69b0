package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

func unreadScenarios() []Scenario {
	return []Scenario{
		{Name: "unread-data", Group: "unread", quick: true, run: func(s *stage) {
			a, b := unreadPair(s)
			a.close()
			endAborted(s, a, b, aborted(model.CauseUnreadData, model.CallClose).unread(10))
		}},
		{Name: "unread-data-partly-read", Group: "unread", run: func(s *stage) {
			a, b := unreadPair(s)
			a.recv(4)
			a.close()
			endAborted(s, a, b, aborted(model.CauseUnreadData, model.CallClose).unread(6))
		}},
		{Name: "unread-data-exit", Group: "unread", run: func(s *stage) {
			a, b := unreadPair(s)
			a.exit()
			endAborted(s, a, b, aborted(model.CauseUnreadData, model.CallExit).unread(10))
		}},
		{Name: "unread-data-kill-9", Group: "unread", run: func(s *stage) {
			a, b := unreadPair(s)
			a.kill(unix.SIGKILL)
			endAborted(s, a, b, aborted(model.CauseUnreadData, model.CallExit).signalled(9).unread(10))
		}},
		{Name: "unread-data-after-shutdown-read", Group: "unread", run: func(s *stage) {
			a, b := unreadPair(s)
			a.shutdown(unix.SHUT_RD) // sends nothing and throws nothing away
			a.close()
			endAborted(s, a, b, aborted(model.CauseUnreadData, model.CallClose).unread(10))
		}},
		{Name: "unread-data-linger-zero", Group: "unread", run: func(s *stage) {
			a, b := unreadPair(s)
			a.linger(0)
			a.close()
			endAborted(s, a, b, aborted(model.CauseUnreadData, model.CallClose).unread(10))
		}},
		{Name: "unread-data-linger", Group: "unread", run: func(s *stage) {
			a, b := unreadPair(s)
			a.linger(5)
			s.took(a.close(), 0) // an abort does not wait
			endAborted(s, a, b, aborted(model.CauseUnreadData, model.CallClose).unread(10))
		}},
		{Name: "unread-data-after-peer-fin", Group: "unread", run: func(s *stage) {
			a, b := unreadPair(s)
			b.halfClose(a)
			a.close()
			s.end(a, aborted(model.CauseUnreadData, model.CallClose).
				first(model.InitiatorPeer).from(model.CloseWait, gotFIN).unread(10))
			b.over()
			s.end(b, peerReset().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
			b.finish()
		}},
		{Name: "unread-data-after-own-shutdown", Group: "unread", run: func(s *stage) {
			a, b := unreadPair(s)
			a.halfClose(b)
			a.close()
			s.end(a, aborted(model.CauseUnreadData, model.CallClose).from(model.FinWait2, sentFIN).unread(10))
			b.over()
			s.end(b, peerReset().from(model.CloseWait, gotFIN))
			b.finish()
		}},
	}
}

// unreadPair returns a connection whose end a has 10 unread bytes.
func unreadPair(s *stage) (a, b *sock) {
	a, b = s.pair()
	b.send(10)
	a.holds(10)
	return a, b
}

// endAborted checks that b was reset and notes both truths.
func endAborted(s *stage, a, b *sock, truth Truth) {
	b.recvError(unix.ECONNRESET)
	s.end(a, truth)
	s.end(b, peerReset())
	b.finish()
}

func disconnectScenarios() []Scenario {
	abort := aborted(model.CauseDisconnect, model.CallDisconnect)
	return []Scenario{
		{Name: "disconnect", Group: "disconnect", quick: true, run: func(s *stage) {
			a, b := s.pair()
			a.disconnect()
			endAborted(s, a, b, abort)
			a.finish()
		}},
		{Name: "disconnect-unread", Group: "disconnect", quick: true, run: func(s *stage) {
			a, b := s.pair()
			b.send(3)
			a.holds(3)
			a.disconnect() // tcp_disconnect empties the receive queue
			endAborted(s, a, b, abort.unread(3))
			a.finish()
		}},
		{Name: "disconnect-close-wait", Group: "disconnect", run: func(s *stage) {
			a, b := s.pair()
			b.halfClose(a)
			a.disconnect()
			s.end(a, abort.first(model.InitiatorPeer).from(model.CloseWait, gotFIN))
			b.over()
			s.end(b, peerReset().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
			a.finish()
			b.finish()
		}},
		{Name: "disconnect-fin-wait1", Group: "disconnect", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.shutdown(unix.SHUT_WR)
			a.disconnect()
			s.end(a, abort.from(model.FinWait1, sentFIN))
			b.endVanished(vanished())
			a.finish()
		}},
		{Name: "disconnect-and-reuse", Group: "disconnect", run: func(s *stage) {
			// The same socket, bound to its port, makes the same tuple again.
			l := s.b().listen(loopback4)
			a := s.a().open(loopback4)
			a.bind(anyPort)
			a.connect(l)
			b := l.accept(a)
			a.disconnect()
			endAborted(s, a, b, abort)
			a.connect(l)
			b = l.accept(a)
			a.close()
			b.eof()
			b.close()
			s.end(a, finActive(model.CallClose))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "tuple-reuse", Group: "disconnect", run: func(s *stage) {
			l := s.b().listen(loopback4)
			local := anyPort
			for range 3 {
				a := s.a().open(loopback4)
				a.bind(local)
				a.connect(l)
				b := l.accept(a)
				local = a.local
				a.linger(0)
				a.close()
				endAborted(s, a, b, aborted(model.CauseLingerZero, model.CallClose))
			}
		}},
	}
}

func destroyScenarios() []Scenario {
	needs := []Feature{SockDestroy}
	destroyed := aborted(model.CauseDestroyed, model.CallDestroy)
	destroyed.Terminator = model.Admin
	return []Scenario{
		{Name: "destroy", Group: "destroy", Needs: needs, quick: true, run: func(s *stage) {
			a, b := s.pair()
			a.destroy()
			a.recvError(unix.ECONNABORTED)
			endAborted(s, a, b, destroyed)
			a.finish()
		}},
		{Name: "destroy-close-wait", Group: "destroy", Needs: needs, run: func(s *stage) {
			a, b := s.pair()
			b.halfClose(a)
			a.destroy()
			s.end(a, destroyed.first(model.InitiatorPeer).from(model.CloseWait, gotFIN))
			b.over()
			s.end(b, peerReset().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
			a.finish()
			b.finish()
		}},
		{Name: "destroy-orphan", Group: "destroy", Needs: needs, run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.close()
			a.is(model.FinWait1)
			a.destroy()
			if a.row().state != model.Closed {
				panic(skip("this kernel's tcp_abort leaves orphans alone"))
			}
			s.end(a, destroyed.from(model.FinWait1, sentFIN))
			b.endVanished(vanished())
		}},
		{Name: "destroy-while-lingering", Group: "destroy", Needs: needs, run: func(s *stage) {
			a, b := s.pair()
			closing := a.lingerOn(b)
			a.destroy()
			truth := destroyed.from(model.FinWait1, mayFIN).unacked(5)
			s.end(a, truth.lingered(model.LingerReset, closing.wait().reply))
			b.endVanished(vanished())
		}},
		{Name: "destroy-time-wait", Group: "destroy", Needs: needs, run: func(s *stage) {
			a, b := s.pair()
			a.close()
			b.eof()
			b.close()
			a.is(model.TimeWait)
			a.tryDestroy() // removes the minisock, if anything, and nobody hears of it
			s.end(a, finActive(model.CallClose))
			s.end(b, finPassive(model.CallClose))
		}},
	}
}
