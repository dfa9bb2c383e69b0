package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

func timeoutScenarios() []Scenario {
	return []Scenario{
		{Name: "retransmit-timeout", Group: "timeout", run: func(s *stage) {
			s.sysctl("ipv4/tcp_retries2", "2")
			a, b := s.pair()
			b.deaf()
			a.send(5)
			a.over()
			a.recvError(unix.ETIMEDOUT)
			endTimedOut(s, a, b, timedOut(model.CauseRetransmitTimeout).unacked(5))
		}},
		{Name: "retransmit-timeout-close-wait", Group: "timeout", run: func(s *stage) {
			s.sysctl("ipv4/tcp_retries2", "2")
			a, b := lastAckPair(s)
			a.send(5)
			a.over()
			s.end(a, timedOut(model.CauseRetransmitTimeout).
				first(model.InitiatorPeer).from(model.CloseWait, gotFIN).unacked(5))
			a.finish()
			b.endVanished(vanished().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
		}},
		{Name: "retransmit-timeout-after-icmp", Group: "timeout", run: func(s *stage) {
			s.sysctl("ipv4/tcp_retries2", "2")
			a, b := s.pair()
			b.deaf()
			sent, _ := a.sequences()
			a.send(5)
			a.forgeUnreachable(icmpHost, sent) // a soft error, which is reported later
			a.over()
			a.recvError(unix.EHOSTUNREACH)
			endTimedOut(s, a, b, timedOut(model.CauseRetransmitTimeout).unacked(5))
		}},
		{Name: "retransmit-timeout-cannot-send", Group: "timeout", quick: true, run: func(s *stage) {
			// What this host fails to send is repeated by the timer of the
			// zero-window probes (tcp_check_probe_timer), but b's window is open.
			s.sysctl("ipv4/tcp_retries2", "2")
			a, b := s.pair()
			s.check("bring lo down", loopback(false))
			a.send(5)
			a.over()
			s.check("bring lo up", loopback(true))
			truth := timedOut(model.CauseRetransmitTimeout).unacked(5)
			s.end(a, truth)
			a.finish()
			b.endVanished(vanished())
		}},
		{Name: "retransmit-timeout-orphan", Group: "timeout", run: func(s *stage) {
			s.sysctl("ipv4/tcp_orphan_retries", "2")
			a, b := s.pair()
			b.deaf()
			a.send(5)
			a.close()
			a.over()
			endOrphan(s, a, b, timedOut(model.CauseRetransmitTimeout).first(model.InitiatorLocal).
				from(model.FinWait1, mayFIN).unacked(5))
		}},
		{Name: "retransmit-timeout-last-ack", Group: "timeout", run: func(s *stage) {
			s.sysctl("ipv4/tcp_orphan_retries", "2")
			a, b := lastAckPair(s)
			a.close()
			a.over()
			truth := timedOut(model.CauseRetransmitTimeout).first(model.InitiatorPeer).
				from(model.LastAck, bothFIN).unacked(0)
			truth.Call = model.CallClose
			s.end(a, truth)
			b.endVanished(vanished().first(model.InitiatorLocal).from(model.FinWait2, sentFIN))
		}},
		{Name: "user-timeout", Group: "timeout", quick: true, run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.set(unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 500)
			a.send(5)
			a.over()
			a.recvError(unix.ETIMEDOUT)
			endTimedOut(s, a, b, timedOut(model.CauseUserTimeout).unacked(5))
		}},
		{Name: "user-timeout-orphan", Group: "timeout", run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.set(unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 500)
			a.send(5)
			a.close()
			a.over()
			endOrphan(s, a, b, timedOut(model.CauseUserTimeout).first(model.InitiatorLocal).
				from(model.FinWait1, mayFIN).unacked(5))
		}},
		{Name: "keepalive-timeout", Group: "timeout", quick: true, run: func(s *stage) {
			a, b := s.pair()
			b.deaf()
			a.keepalive()
			a.over()
			a.recvError(unix.ETIMEDOUT)
			truth := timedOut(model.CauseKeepaliveTimeout)
			truth.RST = sentRST
			endTimedOut(s, a, b, truth)
		}},
		{Name: "zero-window-timeout", Group: "timeout", run: func(s *stage) {
			s.sysctl("ipv4/tcp_retries2", "2")
			a, b := zeroWindowPair(s)
			b.deaf()
			a.over()
			truth := timedOut(model.CauseZeroWindowTimeout)
			s.end(a, truth)
			a.finish()
			b.endVanished(vanished())
		}},
		{Name: "zero-window-timeout-orphan", Group: "timeout", run: func(s *stage) {
			s.sysctl("ipv4/tcp_orphan_retries", "2")
			a, b := zeroWindowPair(s)
			a.close()
			a.is(model.FinWait1)
			b.deaf()
			a.over()
			truth := timedOut(model.CauseZeroWindowTimeout)
			truth.Call = model.CallClose
			// a closed first, but its FIN is still behind the data.
			s.end(a, truth.first(model.InitiatorUnknown).from(model.FinWait1, noFIN))
			b.endVanished(vanished())
		}},
		{Name: "zero-window-timeout-answered", Group: "timeout", Needs: []Feature{RTOMax}, run: func(s *stage) {
			answeredOrphan(s, 0)
		}},
		{Name: "zero-window-timeout-before-user-timeout", Group: "timeout", Needs: []Feature{RTOMax}, run: func(s *stage) {
			answeredOrphan(s, 3600*1000)
		}},
	}
}

// answeredOrphan: b answers a's probes and does not read. An orphan is given up all the
// same once its timer has backed off to the limit, which takes minutes by default.
func answeredOrphan(s *stage, userTimeout int) {
	s.sysctl("ipv4/tcp_rto_max_ms", "1000")
	s.sysctl("ipv4/tcp_orphan_retries", "2")
	a, b := zeroWindowPair(s)
	if userTimeout != 0 {
		a.set(unix.SOL_TCP, unix.TCP_USER_TIMEOUT, userTimeout)
	}
	a.close()
	a.is(model.FinWait1)
	a.over()
	truth := timedOut(model.CauseZeroWindowTimeout)
	truth.Call = model.CallClose
	s.end(a, truth.first(model.InitiatorUnknown).from(model.FinWait1, noFIN))
	b.endVanished(vanished())
}

// keepalive gives up after a silence of two seconds.
func (k *sock) keepalive() {
	k.set(unix.SOL_TCP, unix.TCP_KEEPIDLE, 1)
	k.set(unix.SOL_TCP, unix.TCP_KEEPINTVL, 1)
	k.set(unix.SOL_TCP, unix.TCP_KEEPCNT, 1)
	k.set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
}

func endTimedOut(s *stage, a, b *sock, truth Truth) {
	s.end(a, truth)
	a.finish()
	b.endVanished(vanished())
}

// endOrphan notes the truths of an orphan and of an end that was deaf.
func endOrphan(s *stage, a, b *sock, truth Truth) {
	truth.Call = model.CallClose
	s.end(a, truth)
	b.endVanished(vanished())
}

// zeroWindowPair returns a connection whose end a has sent all that b's window
// allows, has it acknowledged, and has more to send.
func zeroWindowPair(s *stage) (a, b *sock) {
	l := s.b().listen(loopback4)
	l.set(unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) // before the connection: the window's scale depends on it
	a = s.a().open(loopback4)
	a.connect(l)
	b = l.accept(a)
	a.fill()
	s.eventually("a closed window", func() (bool, string) {
		p := a.do(request{Op: "in-flight", FD: a.fd})
		return p.Ret == 0, "segments in flight"
	})
	return a, b
}
