package wire

import (
	"math"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/flow"
)

// details are what segments show beyond what is judged, for the reader:
//
//	wire.ttl N, wire.rst-ttl M       a RST has TTL M, its sender's other segments N
//	wire.ip-id N, wire.rst-ip-id M   the same of the IP identification; N is that of the segment before
//	wire.window N, wire.rst-window M the same of the window, as it stands in the header
//	wire.timestamp, wire.rst-timestamp the same of the TCP time stamp, as reason
//	wire.http-status-sent, -received the status of the last HTTP answer (with --payload)
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
		if x.RST.Time != 0 {
			unlikeDetails(x, add)
		}
		if x.Status != 0 {
			add("http-status"+direction, x.Status, model.Opt[uint32]{})
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

// unlikeDetails are the values that show that the RST of x is not its own.
func unlikeDetails(x *flow.Side, add func(string, uint16, model.Opt[uint32])) {
	r, l, u := &x.RST, &x.Looks, x.Unlike(&x.RST)
	none := model.Opt[uint32]{}
	if u.TTL {
		add("ttl", uint16(l.TTL), none)
		add("rst-ttl", uint16(r.TTL), none)
	}
	if u.ID || u.NoID {
		add("ip-id", l.IDs.Last, none)
		add("rst-ip-id", r.ID, none)
	}
	if u.Window {
		add("window", l.Window, none)
		add("rst-window", r.Window, none)
	}
	if u.TS {
		add("timestamp", 0, model.Some(l.TS))
		add("rst-timestamp", 0, model.Some(r.TS))
	}
}
