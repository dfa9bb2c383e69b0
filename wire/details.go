package wire

import (
	"math"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/flow"
)

// details are what segments show beyond what is judged, for the reader:
//
//	wire.ttl N, wire.rst-ttl M       a RST has TTL M, its sender's other segments N
//	wire.tls-alert-sent, -received   the last TLS record was an alert: its description, its level as reason; 65535 if it is encrypted
//	wire.after-fin-sent, -received   data after the other side's FIN; bytes as reason
//	wire.blind-rst-received          RSTs that did not fit; how many as reason
func details(s, peer *flow.Side) (all []model.EventRef) {
	add := func(name string, id uint16, reason model.Opt[uint32]) {
		all = append(all, model.EventRef{Provider: "wire." + name, ID: id, Reason: reason})
	}
	for _, x := range []*flow.Side{s, peer} {
		direction := "-sent"
		if x == peer {
			direction = "-received"
		}
		if x.RST.Time != 0 && x.Unlike(&x.RST).TTL {
			add("ttl", uint16(x.Looks.TTL), model.Opt[uint32]{})
			add("rst-ttl", uint16(x.RST.TTL), model.Opt[uint32]{})
		}
		switch a := x.Alert; {
		case a.Clear:
			add("tls-alert"+direction, uint16(a.Description), model.Some(uint32(a.Level)))
		case a.Seen:
			add("tls-alert"+direction, math.MaxUint16, model.Opt[uint32]{})
		}
		if x.AfterFIN > 0 {
			add("after-fin"+direction, 0, model.Some(uint32(min(x.AfterFIN, math.MaxUint32))))
		}
		if x.Blind > 0 && x == peer {
			add("blind-rst-received", 0, model.Some(x.Blind))
		}
	}
	return all
}
