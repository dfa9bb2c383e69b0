package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

func gracefulScenarios() []Scenario {
	return []Scenario{
		{Name: "close-active", Group: "graceful", quick: true, run: func(s *stage) {
			a, b := s.pair()
			a.close()
			b.is(model.CloseWait)
			b.close()
			s.end(a, finActive(model.CallClose))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "close-by-acceptor", Group: "graceful", run: func(s *stage) {
			a, b := s.pair()
			a.send(100)
			b.recv(100)
			b.send(2000)
			a.recv(2000)
			b.close()
			a.eof()
			a.close()
			s.end(b, finActive(model.CallClose).unread(0).unacked(0))
			s.end(a, finPassive(model.CallClose).unread(0).unacked(0))
		}},
		{Name: "close-after-icmp", Group: "graceful", run: func(s *stage) {
			s.closeAfterICMP(func(*sock) {})
		}},
		{Name: "close-after-icmp-was-read", Group: "graceful", run: func(s *stage) {
			s.closeAfterICMP(func(a *sock) { a.errorIs(unix.EHOSTUNREACH) })
		}},
		{Name: "close-simultaneous", Group: "graceful", run: closeSimultaneous},
		{Name: "half-close", Group: "graceful", run: func(s *stage) {
			a, b := s.pair()
			a.shutdown(unix.SHUT_WR)
			b.eof()
			b.send(50)
			a.recv(50)
			b.close()
			a.eof()
			s.end(a, finActive(model.CallShutdown))
			s.end(b, finPassive(model.CallClose))
			a.finish()
		}},
		{Name: "shutdown-write-then-close", Group: "graceful", run: func(s *stage) {
			shutdownThenClose(s, unix.SHUT_WR)
		}},
		{Name: "shutdown-both-then-close", Group: "graceful", run: func(s *stage) {
			shutdownThenClose(s, unix.SHUT_RDWR)
		}},
		{Name: "shutdown-by-both", Group: "graceful", run: func(s *stage) {
			a, b := s.pair()
			a.shutdown(unix.SHUT_WR)
			b.eof()
			b.shutdown(unix.SHUT_WR)
			a.eof()
			s.end(a, finActive(model.CallShutdown))
			s.end(b, finPassive(model.CallShutdown))
			a.finish()
			b.finish()
		}},
		{Name: "exit", Group: "graceful", run: func(s *stage) {
			a, b := s.pair()
			a.exit()
			b.is(model.CloseWait)
			b.close()
			s.end(a, finActive(model.CallExit))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "exit-passive", Group: "graceful", run: func(s *stage) {
			a, b := s.pair()
			a.close()
			b.is(model.CloseWait)
			b.exit()
			s.end(a, finActive(model.CallClose))
			s.end(b, finPassive(model.CallExit))
		}},
		{Name: "kill-9", Group: "graceful", quick: true, run: func(s *stage) {
			a, b := s.pair()
			a.kill(unix.SIGKILL)
			b.is(model.CloseWait)
			b.close()
			s.end(a, finActive(model.CallExit).signalled(9))
			s.end(b, finPassive(model.CallClose))
		}},
	}
}

// closeAfterICMP: with IP_RECVERR an ICMP error waits on an open connection to be read
// (tcp_v4_err), and ends nothing.
func (s *stage) closeAfterICMP(then func(a *sock)) {
	a, b := s.pair()
	a.set(unix.SOL_IP, unix.IP_RECVERR, 1)
	a.send(5)
	b.recv(5)
	next, _ := a.sequences()
	a.forgeUnreachable(icmpHost, next)
	then(a)
	a.closeForMinisock(b) // before b's FIN has come
	b.close()
	s.end(a, finActive(model.CallClose))
	s.end(b, finPassive(model.CallClose))
}

// closeSimultaneous: each end gets the other's FIN before the acknowledgement
// of its own. Loopback delivers too fast for that, so b hears only what is
// forged until both are in CLOSING.
func closeSimultaneous(s *stage) {
	a, b := s.pair()
	send, receive := a.sequences()
	b.onlyForged()
	a.close()
	b.shutdown(unix.SHUT_WR)
	a.is(model.Closing)
	b.forge(flagFIN|flagACK, send, receive)
	b.is(model.Closing)
	b.hear()
	a.over()
	b.over()
	both := finActive(model.CallClose).first(model.InitiatorBoth).from(model.Closing, bothFIN)
	s.end(a, both)
	both.Call = model.CallShutdown
	s.end(b, both)
	b.finish()
}

func shutdownThenClose(s *stage, how int) {
	a, b := s.pair()
	a.shutdown(how)
	b.eof()
	a.is(model.FinWait2)
	a.finish()
	b.close()
	s.end(a, finActive(model.CallShutdown))
	s.end(b, finPassive(model.CallClose))
}
