package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// peerScenarios: a reset finds this end in each state, and some resets that
// must not end anything. A reset in ESTABLISHED is the other end of most
// scenarios; in CLOSE_WAIT and FIN_WAIT2 see linger-zero-*.
func peerScenarios() []Scenario {
	return []Scenario{
		{Name: "reset-in-fin-wait1", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.shutdown(unix.SHUT_WR)
			a.is(model.FinWait1)
			b.endReset(aborted(model.CauseLingerZero, model.CallClose))
			s.end(a, peerReset().first(model.InitiatorLocal).from(model.FinWait1, sentFIN).by(model.CallShutdown))
			a.over()
			a.finish()
		}},
		{Name: "reset-in-fin-wait1-orphan", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.close()
			a.is(model.FinWait1)
			b.endReset(aborted(model.CauseLingerZero, model.CallClose))
			s.end(a, peerReset().first(model.InitiatorLocal).from(model.FinWait1, sentFIN).by(model.CallClose))
		}},
		{Name: "reset-in-fin-wait2", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			a.halfClose(b)
			b.endReset(aborted(model.CauseLingerZero, model.CallClose).
				first(model.InitiatorPeer).from(model.CloseWait, gotFIN))
			a.over()
			s.end(a, peerReset().first(model.InitiatorLocal).from(model.FinWait2, sentFIN).by(model.CallShutdown))
			a.recvError(unix.ECONNRESET)
			a.finish()
		}},
		{Name: "reset-in-fin-wait2-orphan", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			a.set(unix.SOL_TCP, unix.TCP_LINGER2, longFinWait)
			a.close()
			a.is(model.FinWait2)
			b.endReset(aborted(model.CauseLingerZero, model.CallClose).
				first(model.InitiatorPeer).from(model.CloseWait, gotFIN))
			s.end(a, peerReset().first(model.InitiatorLocal).from(model.FinWait2, sentFIN).by(model.CallClose))
		}},
		{Name: "reset-in-fin-wait2-time-wait", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			a.closeForMinisock(b)
			b.endReset(aborted(model.CauseLingerZero, model.CallClose).
				first(model.InitiatorPeer).from(model.CloseWait, gotFIN))
			truth := finActive(model.CallClose).from(model.FinWait2, sentFIN)
			truth.RST = noRST
			late := peerReset().first(model.InitiatorLocal).from(model.StateUnknown, sentFIN)
			truth.Outcome = &late
			s.end(a, truth).Invisible = "a reset that ends a TIME_WAIT minisock has no event"
		}},
		{Name: "reset-in-close-wait", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			b.halfClose(a)
			b.endReset(aborted(model.CauseLingerZero, model.CallClose).from(model.FinWait2, sentFIN))
			a.over()
			a.mustFail(unix.EPIPE, request{Op: "send", FD: a.fd, Args: []int{1}})
			s.end(a, peerReset().from(model.CloseWait, gotFIN))
			a.finish()
		}},
		{Name: "reset-in-last-ack", Group: "peer-reset", run: func(s *stage) {
			a, b := lastAckPair(s)
			a.close()
			a.is(model.LastAck)
			b.endReset(aborted(model.CauseLingerZero, model.CallClose).from(model.FinWait2, sentFIN))
			s.end(a, peerReset().from(model.LastAck, bothFIN).by(model.CallClose))
		}},
		{Name: "reset-in-closing", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.close()
			b.shutdown(unix.SHUT_WR)
			a.is(model.Closing)
			b.endReset(aborted(model.CauseLingerZero, model.CallClose).
				first(model.InitiatorUnknown).from(model.FinWait1, sentFIN))
			s.end(a, peerReset().first(model.InitiatorBoth).from(model.Closing, bothFIN).by(model.CallClose))
		}},
		{Name: "reset-in-time-wait", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			send, receive := b.sequences()
			a.close()
			b.eof()
			b.close()
			b.over()
			a.over()
			a.forge(flagRST, send+1, receive+1)
			s.end(a, finActive(model.CallClose))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "reset-in-own-send", Group: "peer-reset", run: func(s *stage) {
			// The answer comes while a's socket is owned by its own send: the
			// kernel processes it from the backlog, in a's context.
			a, b := s.pair()
			b.endVanished(vanished()).Answered = true
			a.send(5)
			a.over()
			a.recvError(unix.ECONNRESET)
			s.end(a, peerReset().unacked(5))
			a.finish()
		}},
		{Name: "reset-forged", Group: "peer-reset", run: func(s *stage) {
			a, b := s.pair()
			send, receive := b.sequences()
			a.forge(flagRST, send, receive)
			a.over()
			s.end(a, peerReset().between()).Answered = true
			a.finish()
			b.send(5) // b does not know
			b.over()
			s.end(b, peerReset().unacked(5))
			b.finish()
		}},
		{Name: "reset-blind", Group: "peer-reset", run: func(s *stage) {
			notEnded(s, func(a *sock, send, receive uint32) { a.forge(flagRST, send-1000, receive) }, "")
		}},
		{Name: "reset-challenged", Group: "peer-reset", run: func(s *stage) {
			notEnded(s, func(a *sock, send, receive uint32) { a.forge(flagRST, send+100, receive) }, "TCPChallengeACK")
		}},
		{Name: "syn-challenged", Group: "peer-reset", run: func(s *stage) {
			notEnded(s, func(a *sock, send, receive uint32) { a.forge(flagSYN, send, receive) }, "TCPSYNChallenge")
		}},
	}
}

// longFinWait is a TCP_LINGER2 with which Linux keeps the full socket in
// FIN_WAIT2: more than TCP_TIMEWAIT_LEN, 60 s (tcp_close).
const longFinWait = 120

// endReset ends k with a RST to its peer, which must be gone then.
func (k *sock) endReset(truth Truth) {
	k.linger(0)
	k.close()
	k.stage.end(k, truth)
}

// notEnded: a is not impressed by a forged segment and closes as usual.
func notEnded(s *stage, attack func(a *sock, send, receive uint32), counter string) {
	a, b := s.pair()
	send, receive := b.sequences()
	attack(a, send, receive)
	if counter != "" {
		s.eventually("the challenge", func() (bool, string) {
			now, err := readCounters()
			s.check("read counters", err)
			return now[counter] > s.before[counter], "no " + counter
		})
	}
	a.send(5)
	b.recv(5)
	a.close()
	b.eof()
	b.close()
	s.end(a, finActive(model.CallClose))
	s.end(b, finPassive(model.CallClose))
}
