package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

func connectScenarios() []Scenario {
	cancelled := failedOpen(model.CauseConnectCancelled, model.InitiatorNone, model.LocalApp)
	return []Scenario{
		{Name: "refused", Group: "connect", quick: true, run: func(s *stage) {
			l := s.b().listen(loopback4)
			l.finish() // nobody listens there any more
			a := s.a().open(loopback4)
			a.prepare(l)
			a.mustFail(unix.ECONNREFUSED, request{Op: "connect", FD: a.fd, Addr: l.local})
			truth := failedOpen(model.CauseRefused, model.InitiatorPeer, model.Peer)
			truth.RST = gotRST
			s.end(a, truth)
			a.finish()
		}},
		{Name: "refused-in-simultaneous-open", Group: "connect", run: func(s *stage) {
			l := s.b().listen(loopback4)
			l.deaf()
			a := s.a().open(loopback4)
			a.startConnect(l)
			a.forge(flagSYN, 1000, 0)
			a.is(model.SynRecv)
			a.forge(flagRST, 1001, 0)
			a.over()
			truth := failedOpen(model.CauseRefused, model.InitiatorPeer, model.Peer).from(model.SynRecv, noFIN)
			truth.RST = gotRST
			s.end(a, truth.unacked(0)) // the SYN counts for nothing
			a.finish()
		}},
		{Name: "connect-timeout", Group: "connect", run: func(s *stage) {
			s.sysctl("ipv4/tcp_syn_retries", "1")
			l := s.b().listen(loopback4)
			l.deaf()
			a := s.a().open(loopback4)
			a.prepare(l)
			a.mustFail(unix.ETIMEDOUT, request{Op: "connect", FD: a.fd, Addr: l.local})
			s.end(a, failedOpen(model.CauseConnectTimeout, model.InitiatorNone, model.LocalKernel))
			a.finish()
		}},
		{Name: "connect-user-timeout", Group: "connect", run: func(s *stage) {
			l := s.b().listen(loopback4)
			l.deaf()
			a := s.a().open(loopback4)
			a.prepare(l)
			a.set(unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 500)
			a.mustFail(unix.ETIMEDOUT, request{Op: "connect", FD: a.fd, Addr: l.local})
			s.end(a, failedOpen(model.CauseConnectTimeout, model.InitiatorNone, model.LocalKernel))
			a.finish()
		}},
		{Name: "connect-cancelled-by-close", Group: "connect", run: func(s *stage) {
			a := connecting(s)
			a.close()
			s.end(a, cancelled.by(model.CallClose))
		}},
		{Name: "connect-cancelled-by-linger-zero", Group: "connect", run: func(s *stage) {
			a := connecting(s)
			a.linger(0)
			a.close()
			truth := cancelled.by(model.CallClose)
			truth.Counter = "TCPAbortOnData"
			s.end(a, truth)
		}},
		{Name: "connect-cancelled-by-shutdown", Group: "connect", run: func(s *stage) {
			a := connecting(s)
			a.shutdown(unix.SHUT_RDWR)
			s.end(a, cancelled.by(model.CallShutdown))
			a.finish()
		}},
		{Name: "connect-cancelled-by-disconnect", Group: "connect", run: func(s *stage) {
			a := connecting(s)
			a.disconnect()
			s.end(a, cancelled.by(model.CallDisconnect))
			a.finish()
		}},
		{Name: "connect-cancelled-by-exit", Group: "connect", run: func(s *stage) {
			a := connecting(s)
			a.exit()
			s.end(a, cancelled.by(model.CallExit))
		}},
		{Name: "connect-cancelled-by-kill-9", Group: "connect", run: func(s *stage) {
			a := connecting(s)
			a.kill(unix.SIGKILL)
			s.end(a, cancelled.signalled(9))
		}},
		{Name: "unreachable-host", Group: "connect", run: func(s *stage) { unreachable(s, icmpHost) }},
		{Name: "unreachable-port", Group: "connect", run: func(s *stage) { unreachable(s, icmpPort) }},
		{Name: "destroy-connecting", Group: "destroy", Needs: []Feature{SockDestroy}, run: func(s *stage) {
			a := connecting(s)
			a.destroy()
			s.end(a, failedOpen(model.CauseDestroyed, model.InitiatorNone, model.Admin).by(model.CallDestroy))
			a.finish()
		}},
		{Name: "wrong-ack-while-connecting", Group: "connect", run: func(s *stage) {
			l := s.b().listen(loopback4)
			l.deaf()
			a := s.a().open(loopback4)
			a.startConnect(l)
			next, _ := a.sequences()
			a.forge(flagSYN|flagACK, 1000, next+1000) // answered with RST, and the attempt goes on
			l.hear()
			b := l.accept(a)
			a.is(model.Established)
			a.close()
			b.eof()
			b.close()
			truth := finActive(model.CallClose)
			truth.RST = model.RST{Received: no} // that RST was not the connection's end
			s.end(a, truth)
			truth = finPassive(model.CallClose)
			truth.Initiator, truth.RST = model.InitiatorUnknown, model.RST{Sent: no}
			s.end(b, truth)
		}},
		{Name: "self-connect", Group: "connect", run: func(s *stage) {
			a := s.a().open(loopback4)
			a.bind(anyPort)
			a.connect(a)
			a.close()
			a.over()
			s.end(a, finActive(model.CallClose).first(model.InitiatorBoth).from(model.Closing, bothFIN))
		}},
		{Name: "accept-queue-overflow", Group: "connect", run: acceptQueueOverflow},
		{Name: "embryonic-reset", Group: "connect", run: func(s *stage) {
			// The kernel resets the SYN-ACK, because no socket asked for it: a
			// request without any connection.
			l := s.b().listen(loopback4)
			s.sendRaw(unix.IPPROTO_TCP, nobody, l.local, tcpSegment(nobody, l.local, flagSYN, 1000, 0, 0))
			s.eventually("the request to be reset", func() (bool, string) {
				now, err := readCounters()
				s.check("read counters", err)
				return now["EmbryonicRsts"] > s.before["EmbryonicRsts"], "no EmbryonicRsts"
			})
			s.result.Explained = map[string]uint64{"AttemptFails": 1}
		}},
	}
}

// connecting returns a socket in SYN_SENT whose SYN nobody answers.
func connecting(s *stage) *sock {
	l := s.b().listen(loopback4)
	l.deaf()
	a := s.a().open(loopback4)
	a.startConnect(l)
	a.is(model.SynSent)
	return a
}

// unreachable: an ICMP error ends the attempt.
func unreachable(s *stage, code byte) {
	a := connecting(s)
	next, _ := a.sequences()
	a.forgeUnreachable(code, next-1) // the SYN
	a.over()
	s.end(a, failedOpen(model.CauseUnreachable, model.InitiatorNone, model.NetworkPath))
	a.finish()
}

// acceptQueueOverflow: the handshake's last ACK finds the queue full, and
// tcp_abort_on_overflow answers with RST. The client is established by then;
// the server never has a socket.
func acceptQueueOverflow(s *stage) {
	s.sysctl("ipv4/tcp_abort_on_overflow", "1")
	l := s.b().open(loopback4)
	l.bind(anyPort)
	l.do(request{Op: "listen", FD: l.fd, Args: []int{0}}) // room for one
	late := s.cast("lab-c").open(loopback4)
	late.deaf()
	late.startConnect(l) // half open: it does not hear the SYN-ACK
	a := s.a().open(loopback4)
	a.connect(l) // fills the queue
	late.hear()  // the next SYN-ACK
	late.over()
	s.end(late, peerReset())
	late.finish()
	b := l.accept(a)
	a.close()
	b.eof()
	b.close()
	s.end(a, finActive(model.CallClose))
	s.end(b, finPassive(model.CallClose))
}
