package lab

import (
	"net/netip"

	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// attemptScenarios: what ends an attempt to connect inside the call itself.
func attemptScenarios() []Scenario {
	return []Scenario{
		{Name: "unreachable-inside-connect", Group: "connect", Needs: []Feature{Firewall}, run: func(s *stage) {
			a := rejectedInside(s, loopback4)
			a.errorIs(unix.ECONNREFUSED)
			a.close()
			e := endInside(s, a, model.CallClose)
			if !icmpSendTraced() {
				e.Invisible = "the error was read, and this kernel has no tracepoint for ICMP: that looks like a program that gave up"
			}
		}},
		{Name: "unreachable-inside-connect-unread", Group: "connect", Needs: []Feature{Firewall}, run: func(s *stage) {
			a := rejectedInside(s, loopback4)
			a.close()
			endInside(s, a, model.CallClose)
		}},
		{Name: "unreachable-inside-connect-exit", Group: "connect", Needs: []Feature{Firewall}, run: func(s *stage) {
			a := rejectedInside(s, loopback4)
			a.exit()
			endInside(s, a, model.CallExit)
		}},
		{Name: "unreachable-inside-connect-ipv6", Group: "connect", Needs: []Feature{Firewall, IPv6}, run: func(s *stage) {
			a := rejectedInside(s, loopback6)
			a.errorIs(unix.ECONNREFUSED)
			a.close()
			endInside(s, a, model.CallClose).Invisible = "the error was read, and no tracepoint shows ICMPv6: that looks like a program that gave up"
		}},
		{Name: "unreachable-later", Group: "connect", Needs: []Feature{Firewall}, run: func(s *stage) {
			// The SYN that is sent again is rejected too, and now the socket is not locked.
			l := s.b().listen(loopback4)
			s.unreachOutput(l.local.Port())
			a := s.a().open(loopback4)
			a.prepare(l)
			a.mustFail(unix.ECONNREFUSED, request{Op: "connect", FD: a.fd, Addr: l.local})
			s.end(a, unreachableInside())
			a.finish()
		}},
		{Name: "no-local-port", Group: "connect", run: func(s *stage) { noLocalPort(s, loopback4) }},
		{Name: "no-local-port-ipv6", Group: "connect", Needs: []Feature{IPv6}, run: func(s *stage) { noLocalPort(s, loopback6) }},
		{Name: "local-port-taken", Group: "connect", run: func(s *stage) {
			// A port of the program's own choice, used with this peer already: no end.
			l := s.b().listen(loopback4)
			a, again := s.a().open(loopback4), s.a().open(loopback4)
			for _, k := range []*sock{a, again} {
				k.set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			}
			a.bind(anyPort)
			again.bind(a.local)
			a.connect(l)
			again.mustFail(unix.EADDRNOTAVAIL, request{Op: "connect", FD: again.fd, Addr: l.local})
			again.finish()
			endedByA(s, a, l.accept(a))
		}},
	}
}

func unreachableInside() Truth {
	return failedOpen(model.CauseUnreachable, model.InitiatorNone, model.NetworkPath)
}

// endInside notes the truth of a socket that call has closed, unless a slow machine sent
// the SYN again before: then its answer ended the attempt, which the kernel counts.
func endInside(s *stage, a *sock, call model.Call) *End {
	truth := unreachableInside()
	now, err := readCounters()
	s.check("read counters", err)
	if now["AttemptFails"] == s.before["AttemptFails"] {
		truth = truth.by(call)
	}
	return s.end(a, truth)
}

// rejectedInside returns a socket whose SYN the namespace's firewall has answered with
// ICMP before connect() returned.
func rejectedInside(s *stage, address netip.Addr) *sock {
	l := s.b().listen(address)
	s.unreachOutput(l.local.Port())
	a := s.a().open(address)
	a.startConnect(l)
	a.is(model.SynSent)
	return a
}

// errorIs reads SO_ERROR.
func (k *sock) errorIs(want unix.Errno) {
	if got := unix.Errno(k.do(request{Op: "error", FD: k.fd}).Ret); got != want {
		k.stage.fail("%s: SO_ERROR is %v, want %v", k.actor.name, got, want)
	}
}

// noLocalPort: the range has two ports, and both are used with this peer.
func noLocalPort(s *stage, address netip.Addr) {
	s.sysctl("ipv4/ip_local_port_range", "40000 40001")
	l := s.b().open(address)
	l.bind(netip.AddrPortFrom(address, 39000))
	l.do(request{Op: "listen", FD: l.fd, Args: []int{16}})
	var pairs [2][2]*sock
	for i := range pairs {
		a := s.a().open(address)
		a.connect(l)
		pairs[i] = [2]*sock{a, l.accept(a)}
	}
	late := s.cast("lab-c").open(address)
	late.mustFail(unix.EADDRNOTAVAIL, request{Op: "connect", FD: late.fd, Addr: l.local})
	late.local, late.peer, late.role = netip.AddrPortFrom(address, 0), l.local, model.Active
	s.end(late, failedOpen(model.CauseNoLocalPort, model.InitiatorNone, model.LocalKernel))
	late.finish()
	for _, pair := range pairs {
		endedByA(s, pair[0], pair[1])
	}
}

func endedByA(s *stage, a, b *sock) {
	a.close()
	b.eof()
	b.close()
	s.end(a, finActive(model.CallClose))
	s.end(b, finPassive(model.CallClose))
}
