package join

import (
	"slices"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// disconnect takes the events of Microsoft-Windows-Kernel-Network and of the
// kernel logger's class TcpIp, which have the same numbers: 12 connect, 13
// disconnect, 15 accept; IPv6 is 16 more. They do not show how a connection
// ended, and matter only where the TCP stack's own events are missing.
func (j *Joiner) disconnect(p raw.Provider, e *raw.Event) {
	if !slices.Contains(networkEvents, e.ID) {
		return
	}
	f, ok := j.decode(p, e)
	if !ok {
		return
	}
	t := tuple{
		f.NetAddress(payload.NetSaddr, payload.NetSport),
		f.NetAddress(payload.NetDaddr, payload.NetDport),
	}
	pid := f.Uint32(payload.FieldPID)
	switch e.ID {
	case 12, 28:
		j.kernelOpened(e, t, pid, model.Active, model.OwnerConnect)
	case 15, 31:
		j.kernelOpened(e, t, pid, model.Passive, model.OwnerAccept)
	default:
		c := j.kernel[t]
		if c != nil && c.ended != 0 && c.events[0].provider != p {
			return // both are in the file
		}
		if c == nil || c.ended != 0 {
			c = j.newConn(0)
			c.tuple, c.older = t, true
			j.kernel[t] = c
		}
		c.gap = c.gap || j.late
		c.own(pid, model.OwnerUse)
		c.announced.Add(model.ObservedDisconnect)
		c.note(p, e, model.Opt[uint32]{})
		j.end(c, e.Time, false)
	}
}

func (j *Joiner) kernelOpened(e *raw.Event, t tuple, pid uint32, role model.Role, source model.OwnerSource) {
	if j.sawTCPIP || len(j.kernel) >= j.limits.conns {
		return
	}
	c := j.newConn(0)
	c.tuple, c.role, c.start = t, role, e.Time
	c.own(pid, source)
	j.kernel[t] = c
}
