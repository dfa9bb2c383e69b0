package lab

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

func lingerScenarios() []Scenario {
	return []Scenario{
		{Name: "linger-drained", Group: "linger", quick: true, run: func(s *stage) {
			a, b := s.pair()
			a.linger(5)
			a.send(5)
			closed := a.close() // b delays the ACK of the FIN by 40 ms
			b.is(model.CloseWait)
			b.recv(5)
			b.close()
			s.end(a, finActive(model.CallClose).lingered(model.LingerDrained, closed).unacked(0))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "linger-passive", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			b.close()
			a.is(model.CloseWait)
			a.linger(5)
			closed := a.close()
			s.end(a, finPassive(model.CallClose).lingered(model.LingerDrained, closed))
			s.end(b, finActive(model.CallClose))
		}},
		{Name: "linger-for-ever-passive", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			b.close()
			a.is(model.CloseWait)
			a.linger(-1)
			closed := a.close()
			s.end(a, finPassive(model.CallClose).lingered(model.LingerDrained, closed))
			s.end(b, finActive(model.CallClose))
		}},
		{Name: "linger-slow", Group: "linger", run: func(s *stage) {
			lingerSlow(s, func(*sock) {})
		}},
		{Name: "linger-non-blocking", Group: "linger", run: func(s *stage) {
			lingerSlow(s, (*sock).nonblock)
		}},
		{Name: "linger-nothing-to-wait-for", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			a.halfClose(b)
			a.linger(5)
			a.finish()
			b.close()
			truth := finActive(model.CallShutdown)
			truth.Linger = model.LingerSkipped
			s.end(a, truth)
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "linger-expired", Group: "linger", quick: true, run: func(s *stage) {
			a, b := s.pair()
			closed := a.lingerOut(b)
			b.hear() // the orphan goes on sending
			b.recv(5)
			b.eof()
			b.close()
			s.end(a, finActive(model.CallClose).unacked(0).expired(closed))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "linger-expired-inherited", Group: "linger", run: func(s *stage) {
			l := s.b().listen(loopback4)
			l.linger(1)
			a := s.a().open(loopback4)
			a.connect(l)
			b := l.accept(a)
			a.deaf()
			b.send(5)
			closed := b.close()
			s.took(closed, time.Second)
			a.hear()
			a.recv(5)
			a.eof()
			a.close()
			s.end(b, finActive(model.CallClose).unacked(0).expired(closed))
			s.end(a, finPassive(model.CallClose))
		}},
		{Name: "linger-expired-after-shutdown", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.shutdown(unix.SHUT_WR)
			a.linger(1)
			closed := a.close()
			s.took(closed, time.Second)
			b.hear()
			b.eof()
			b.close()
			s.end(a, finActive(model.CallClose).expired(closed))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "linger-expired-passive", Group: "linger", run: func(s *stage) {
			a, b := lastAckPair(s)
			closed := a.lingerOut(b)
			b.hear()
			b.recv(5)
			b.eof()
			a.over()
			s.end(a, finPassive(model.CallClose).unacked(0).expired(closed))
			s.end(b, finActive(model.CallShutdown))
			b.finish()
		}},
		{Name: "linger-expired-orphan-times-out", Group: "linger", run: func(s *stage) {
			s.sysctl("ipv4/tcp_orphan_retries", "3") // 3 s
			a, b := s.pair()
			closed := a.lingerOut(b)
			a.over()
			s.end(a, timedOut(model.CauseRetransmitTimeout).first(model.InitiatorLocal).
				from(model.FinWait1, mayFIN).unacked(5).expired(closed))
			b.endVanished(vanished())
		}},
		{Name: "linger-expired-orphan-reset", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			closed := a.lingerOut(b)
			b.linger(0)
			b.close()
			a.over()
			s.end(a, peerReset().first(model.InitiatorLocal).
				from(model.FinWait1, mayFIN).unacked(5).expired(closed))
			s.end(b, aborted(model.CauseLingerZero, model.CallClose))
		}},
		{Name: "linger-expired-many", Group: "linger", run: lingerMany},
		{Name: "linger-interrupted", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			closing := a.lingerOn(b)
			a.interrupt()
			closed := closing.wait().reply
			s.took(closed, 0)
			b.hear()
			b.recv(5)
			b.close()
			s.end(a, finActive(model.CallClose).lingered(model.LingerInterrupted, closed))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "linger-killed", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			a.lingerOn(b)
			a.actor.kill(unix.SIGKILL)
			b.hear()
			b.recv(5)
			b.close()
			truth := finActive(model.CallClose)
			truth.Linger = model.LingerInterrupted
			s.end(a, truth)
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "linger-exit", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.linger(20)
			a.send(5)
			start := time.Now()
			a.exit()
			if took := time.Since(start); took > 10*time.Second {
				s.fail("exit waited %v", took)
			}
			a.is(model.FinWait1)
			b.hear()
			b.recv(5)
			b.close()
			truth := finActive(model.CallExit)
			truth.Linger = model.LingerSkipped
			s.end(a, truth)
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "linger-reset-while-waiting", Group: "linger", run: func(s *stage) {
			a, b := s.pair()
			closing := a.lingerOn(b)
			b.linger(0)
			b.close()
			truth := peerReset().first(model.InitiatorLocal).from(model.FinWait1, mayFIN).unacked(5)
			truth.Call = model.CallClose
			s.end(a, truth.lingered(model.LingerReset, closing.wait().reply))
			s.end(b, aborted(model.CauseLingerZero, model.CallClose))
		}},
		{Name: "linger-times-out-while-waiting", Group: "linger", run: func(s *stage) {
			s.sysctl("ipv4/tcp_retries2", "1")
			a, b := s.pair()
			closed := a.lingerOn(b).wait().reply
			truth := timedOut(model.CauseRetransmitTimeout).first(model.InitiatorLocal).
				from(model.FinWait1, mayFIN).unacked(5)
			truth.Call = model.CallClose
			s.end(a, truth.lingered(model.LingerReset, closed))
			b.endVanished(vanished())
		}},
	}
}

// lingerSlow: the FIN is acknowledged late, but within the linger time.
func lingerSlow(s *stage, prepare func(*sock)) {
	a, b := s.pair()
	prepare(a)
	closing := a.lingerOn(b)
	b.hear()
	closed := closing.wait().reply
	b.recv(5)
	b.close()
	s.end(a, finActive(model.CallClose).lingered(model.LingerDrained, closed))
	s.end(b, finPassive(model.CallClose))
}

// lingerOn starts a close that waits, up to 20 s, for b, which is deaf.
func (k *sock) lingerOn(b *sock) *pending {
	b.deaf()
	k.linger(20)
	k.send(5)
	closing := k.startClose()
	k.wait("to wait", func(r socketRow) bool { return r.state == model.FinWait1 || r.state == model.LastAck })
	return closing
}

// lingerOut closes with 5 bytes that b, which is deaf, does not acknowledge
// within the linger time of a second.
func (k *sock) lingerOut(b *sock) reply {
	b.deaf()
	k.linger(1)
	k.send(5)
	closed := k.close()
	k.stage.took(closed, time.Second)
	return closed
}

// lingerMany: 64 closes wait at the same time, each in a thread of its own.
// Their orphans die when they next send.
func lingerMany(s *stage) {
	const n = 64
	s.sysctl("ipv4/tcp_orphan_retries", "1")
	l := s.b().listen(loopback4)
	var as, bs [n]*sock
	for i := range n {
		a := s.a().open(loopback4)
		a.connect(l)
		b := l.accept(a)
		a.actor = s.a().numbered(i)
		a.label, b.label = fmt.Sprint("a", i), fmt.Sprint("b", i)
		as[i], bs[i] = a, b
	}
	for i := range n {
		bs[i].deaf()
		as[i].linger(1)
	}
	var closings [n]*pending
	for i := range n {
		as[i].send(5)
		closings[i] = as[i].startClose()
	}
	for i := range n {
		closed := closings[i].wait().reply
		s.took(closed, time.Second)
		as[i].over()
		s.end(as[i], timedOut(model.CauseRetransmitTimeout).first(model.InitiatorLocal).
			from(model.FinWait1, mayFIN).unacked(5).expired(closed))
		bs[i].endVanished(vanished())
	}
}

// took checks that a call blocked for the time and not much longer.
func (s *stage) took(p reply, want time.Duration) {
	if p.Took < want-10*time.Millisecond || p.Took > want+s.patience/4 {
		s.fail("close blocked for %v, want %v", p.Took, want)
	}
}
