package wire

import (
	"io"
	"net/netip"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/capture"
	"github.com/closetrace/closetrace/wire/internal/flow"
	"github.com/closetrace/closetrace/wire/internal/packet"
)

// Flagged is a segment with FIN or RST.
type Flagged struct {
	From, To netip.AddrPort
	Time     model.Time
	// Fingerprint is that of its connection, 0 if the SYNs are not in the capture.
	Fingerprint model.Fingerprint
	// Role is that of its sender.
	Role model.Role
}

// Annotate writes the capture in to out as pcapng. The packets with FIN or RST get the
// comment that say returns; "" is none. On [ErrCut], all before that place was written. It
// returns how many got one: simple and obsolete packet blocks of pcapng have none.
func Annotate(in io.Reader, out io.Writer, say func(*Flagged) string) (commented int, err error) {
	var d packet.Decoder
	table := flow.NewTable(0, func(*flow.Conn) {})
	return capture.Copy(in, out, func(p *capture.Packet) string {
		var s packet.Segment
		if d.Decode(p.Link, p.Data, int(p.Length), &s) != packet.TCP {
			return ""
		}
		c, i := table.Add(&s, p.Time)
		if s.Flags&(packet.FIN|packet.RST) == 0 {
			return ""
		}
		x := Flagged{From: addrPort(s.Src, s.SrcPort, s.V6), To: addrPort(s.Dst, s.DstPort, s.V6), Time: model.Time(p.Time)}
		if c != nil {
			x.Fingerprint, x.Role = fingerprint(c), role(c, i)
		}
		return say(&x)
	})
}

func addrPort(a packet.Addr, port uint16, v6 bool) netip.AddrPort {
	if v6 {
		return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[:4])), port)
}
