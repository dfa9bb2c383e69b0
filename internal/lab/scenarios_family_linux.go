package lab

import (
	"net/netip"

	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// familyScenarios: the usual endings over IPv6 and in other clothes.
func familyScenarios() []Scenario {
	v6 := []Feature{IPv6}
	return []Scenario{
		{Name: "ipv6-close", Group: "family", Needs: v6, run: func(s *stage) {
			a, b := s.pairAt(loopback6, loopback6)
			a.close()
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "ipv6-linger-zero", Group: "family", Needs: v6, run: func(s *stage) {
			a, b := s.pairAt(loopback6, loopback6)
			a.linger(0)
			a.close()
			endAborted(s, a, b, aborted(model.CauseLingerZero, model.CallClose))
		}},
		{Name: "ipv6-linger-expired", Group: "family", Needs: v6, run: func(s *stage) {
			a, b := s.pairAt(loopback6, loopback6)
			closed := a.lingerOut(b)
			b.hear()
			b.recv(5)
			b.eof()
			b.close()
			s.end(a, finActive(model.CallClose).expired(closed))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "ipv6-refused", Group: "family", Needs: v6, run: func(s *stage) {
			l := s.b().listen(loopback6)
			l.finish()
			a := s.a().open(loopback6)
			a.prepare(l)
			a.mustFail(unix.ECONNREFUSED, request{Op: "connect", FD: a.fd, Addr: l.local})
			truth := failedOpen(model.CauseRefused, model.InitiatorPeer, model.Peer)
			truth.RST = gotRST
			s.end(a, truth)
			a.finish()
		}},
		{Name: "ipv6-destroy", Group: "family", Needs: []Feature{IPv6, SockDestroy}, run: func(s *stage) {
			a, b := s.pairAt(loopback6, loopback6)
			a.destroy()
			truth := aborted(model.CauseDestroyed, model.CallDestroy)
			truth.Terminator = model.Admin
			endAborted(s, a, b, truth)
			a.finish()
		}},
		{Name: "ipv6-late-data-time-wait", Group: "family", Needs: v6, run: func(s *stage) {
			a, b := s.pairAt(loopback6, loopback6)
			lateDataToTimeWait(s, a, b)
		}},
		{Name: "mapped-client", Group: "family", Needs: v6, run: func(s *stage) { mapped(s, mapped4, loopback4) }},
		{Name: "mapped-server", Group: "family", Needs: v6, run: func(s *stage) { mapped(s, loopback4, mapped4) }},
		{Name: "mapped-both", Group: "family", Needs: v6, run: func(s *stage) { mapped(s, mapped4, mapped4) }},
		{Name: "addresses-of-127", Group: "family", run: func(s *stage) {
			l := s.b().listen(netip.MustParseAddr("127.1.2.3"))
			a := s.a().open(loopback4)
			a.bind(netip.MustParseAddrPort("127.200.0.1:0"))
			a.connect(l)
			b := l.accept(a)
			a.close()
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "ktls-close", Group: "family", Needs: []Feature{KTLS}, run: func(s *stage) {
			a, b := s.pair()
			a.do(request{Op: "ulp", FD: a.fd, Text: "tls"})
			a.close()
			endClosed(s, a, b, finActive(model.CallClose))
		}},
		{Name: "ktls-linger-zero", Group: "family", Needs: []Feature{KTLS}, run: func(s *stage) {
			a, b := s.pair()
			a.do(request{Op: "ulp", FD: a.fd, Text: "tls"})
			a.linger(0)
			a.close()
			endAborted(s, a, b, aborted(model.CauseLingerZero, model.CallClose))
		}},
	}
}

// mapped: IPv4 connections of IPv6 sockets.
func mapped(s *stage, from, to netip.Addr) {
	a, b := s.pairAt(from, to)
	b.send(10)
	a.holds(10)
	a.close()
	endAborted(s, a, b, aborted(model.CauseUnreadData, model.CallClose).unread(10))
}
