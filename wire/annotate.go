package wire

import (
	"io"
	"net/netip"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/capture"
	"github.com/closetrace/closetrace/wire/internal/packet"
)

// Annotate writes the capture in to out as pcapng. The packets with FIN or RST get the
// comment that say returns for who sent them, to whom and when; "" is none.
func Annotate(in io.Reader, out io.Writer, say func(from, to netip.AddrPort, at model.Time) string) error {
	var d packet.Decoder
	return capture.Copy(in, out, func(p *capture.Packet) string {
		var s packet.Segment
		if d.Decode(p.Link, p.Data, int(p.Length), &s) != packet.TCP || s.Flags&(packet.FIN|packet.RST) == 0 {
			return ""
		}
		return say(addrPort(s.Src, s.SrcPort, s.V6), addrPort(s.Dst, s.DstPort, s.V6), model.Time(p.Time))
	})
}

func addrPort(a packet.Addr, port uint16, v6 bool) netip.AddrPort {
	if v6 {
		return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[:4])), port)
}
