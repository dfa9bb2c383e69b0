package record

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/model"
)

// PcapFilter collects the connections of records as one filter expression in
// the language of tcpdump and Wireshark's capture filters (pcap-filter(7)):
//
//	tcp and ((host 10.0.0.9 and host 10.0.0.5 and port 443 and port 51034) or ...)
//
// Both ends of a loopback connection are one connection. Give the expression
// to `tcpdump -r trace.pcap "$(...)"`.
type PcapFilter struct {
	// Max bounds how many connections are taken; 0 is 150. The kernel's filter
	// has at most 4096 instructions, and a connection takes about 21.
	Max     int
	seen    map[[2]netip.AddrPort]bool
	parts   []string
	skipped int
}

// maxSeen bounds the connections that are known again: of more each record counts as one.
const maxSeen = 1 << 16

// Add takes the connection of r. What has no addresses is left out.
func (p *PcapFilter) Add(r *model.Record) {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome, model.KindCloseFailed:
	case model.KindUnknown, model.KindStart, model.KindLoss, model.KindCounters, model.KindClock, model.KindTable, model.KindStray, model.KindCounts, model.KindStop:
		return
	}
	a, b := plainEndpoint(r.Teardown.Network.Local), plainEndpoint(r.Teardown.Network.Peer)
	if !a.Addr().IsValid() || !b.Addr().IsValid() || a.Port() == 0 || b.Port() == 0 {
		return
	}
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	if p.seen == nil {
		p.seen = map[[2]netip.AddrPort]bool{}
	}
	if p.seen[[2]netip.AddrPort{a, b}] {
		return
	}
	if len(p.seen) < max(maxSeen, p.Max) {
		p.seen[[2]netip.AddrPort{a, b}] = true
	}
	if len(p.parts) >= p.Max && (p.Max > 0 || len(p.parts) >= 150) {
		p.skipped++
		return
	}
	p.parts = append(p.parts, "(host "+a.Addr().String()+" and host "+b.Addr().String()+
		" and port "+strconv.Itoa(int(a.Port()))+" and port "+strconv.Itoa(int(b.Port()))+")")
}

// plainEndpoint is without a zone, which the language does not have.
func plainEndpoint(e model.Endpoint) netip.AddrPort {
	return netip.AddrPortFrom(e.Address.WithZone(""), e.Port)
}

// String returns the expression. Without connections it matches no packet, and tcpdump
// refuses it: an empty expression would match all.
func (p *PcapFilter) String() string {
	if len(p.parts) == 0 {
		return "tcp and not tcp"
	}
	return "tcp and (" + strings.Join(p.parts, " or ") + ")"
}

// Skipped returns how many connections were beyond Max.
func (p *PcapFilter) Skipped() int { return p.skipped }
