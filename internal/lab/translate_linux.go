package lab

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// translated plays a connection of which the client knows another destination than the
// server has, and the server another client: DNAT and SNAT. Its ends share no address.
func translated(s *stage) {
	seen := netip.MustParseAddrPort("127.0.0.9:50000") // the client, as the server sees it
	known := netip.MustParseAddrPort("127.0.0.7:80")   // the server, as the client knows it
	l := s.b().listen(loopback4)
	s.check("set up address translation", translate(known, l.local, seen))
	a := s.a().open(loopback4)
	a.bind(anyPort)
	a.do(request{Op: "connect", FD: a.fd, Addr: known})
	a.peer, a.role = known, model.Active
	b := l.accept(a)
	b.local, b.peer = l.local, seen
	a.send(5)
	b.recv(5)
	endedByA(s, a, b)
	for i := range s.result.Ends {
		s.result.Ends[i].Translated = true
	}
}

// translate sends what goes to known to real instead, from seen.
func translate(known, real, seen netip.AddrPort) error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "lab-nat"})
	for _, step := range []struct {
		name     string
		hook     *nftables.ChainHook
		priority *nftables.ChainPriority
		kind     expr.NATType
		from, to netip.AddrPort
	}{
		{"output", nftables.ChainHookOutput, nftables.ChainPriorityNATDest, expr.NATTypeDestNAT, known, real},
		{"postrouting", nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, expr.NATTypeSourceNAT, real, seen},
	} {
		chain := c.AddChain(&nftables.Chain{Table: table, Name: step.name, Type: nftables.ChainTypeNAT, Hooknum: step.hook, Priority: step.priority})
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(goesTo(step.from),
			&expr.Immediate{Register: 1, Data: step.to.Addr().AsSlice()},
			&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, step.to.Port())},
			&expr.NAT{Type: step.kind, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
		)})
	}
	return c.Flush()
}

// goesTo matches TCP segments to an address and port.
func goesTo(a netip.AddrPort) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: a.Addr().AsSlice()},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, a.Port())},
	}
}

func probeNAT() error {
	return translate(nobody, nobody, nobody)
}
