package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// mptcpScenarios: what is seen are the subflows, which are TCP connections
// that the kernel opens and closes. They have no descriptor; the MPTCP socket
// has.
func mptcpScenarios() []Scenario {
	needs := []Feature{MPTCP}
	return []Scenario{
		{Name: "mptcp-close", Group: "mptcp", Needs: needs, run: func(s *stage) {
			a, b := mptcpPair(s)
			a.close()
			b.eof() // the end of data; the subflow stays open
			b.close()
			a.over()
			b.over()
			// Which kernel end sends its FIN first is a race.
			truth := finActive(model.CallUnknown).first(model.InitiatorUnknown).from(model.StateUnknown, bothFIN)
			truth.Terminator = model.TerminatorUnknown
			endSubflow(s, a, truth)
			endSubflow(s, b, truth)
		}},
		{Name: "mptcp-linger-zero", Group: "mptcp", Needs: needs, run: func(s *stage) {
			a, b := mptcpPair(s)
			a.linger(0)
			a.close()
			// Close() resets the subflow before it returns, or tells the end of data.
			if a.row().state == model.Established {
				panic(skip("this kernel's MPTCP does not reset for SO_LINGER with no time (before f14d6e9c3678, 7.1)"))
			}
			endFastClose(s, a, b)
		}},
		{Name: "mptcp-unread-data", Group: "mptcp", Needs: needs, run: func(s *stage) {
			a, b := mptcpPair(s)
			b.send(10)
			a.wait("to acknowledge", func(socketRow) bool { return b.row().unacked == 0 })
			a.close()
			endFastClose(s, a, b)
		}},
	}
}

func mptcpPair(s *stage) (a, b *sock) {
	l := s.b().openProtocol(loopback4, unix.IPPROTO_MPTCP)
	l.bind(anyPort)
	l.do(request{Op: "listen", FD: l.fd, Args: []int{16}})
	a = s.a().openProtocol(loopback4, unix.IPPROTO_MPTCP)
	a.connect(l)
	b = l.accept(a)
	// Until the peer is heard from, the connection may still fall back to TCP.
	b.send(1)
	a.recv(1)
	a.send(1)
	b.recv(1)
	return a, b
}

// endFastClose: a has closed, and MPTCP tells b with a RST on the subflow.
func endFastClose(s *stage, a, b *sock) {
	a.over()
	b.recvError(unix.ECONNRESET)
	b.over()
	truth := aborted(model.CauseMPTCPReset, model.CallUnknown)
	truth.Terminator = model.LocalKernel
	endSubflow(s, a, truth)
	endSubflow(s, b, peerReset())
	b.finish()
}

// endSubflow: the subflow has no owner, but no other process may be named.
func endSubflow(s *stage, k *sock, truth Truth) {
	truth.Closer = k.party()
	owner := k.owner
	k.owner = Party{}
	s.end(k, truth)
	k.owner = owner
}
