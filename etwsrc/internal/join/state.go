package join

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// stateChange takes event 1051, a step in the life of a TCB.
func (j *Joiner) stateChange(e *raw.Event, f *payload.Payload) {
	j.sawStates = true
	o, _ := f.Uint(payload.FieldOldState)
	n, _ := f.Uint(payload.FieldNewState)
	from, to := stateOf(o), stateOf(n)
	tcb := f.Pointer(payload.FieldTcb)
	if to == model.SynSent || to == model.SynRecv && (from == model.Listen || from == model.Closed) {
		j.opened(e, tcb, to)
		return
	}
	c := j.conns[tcb]
	if c == nil {
		// A past connection does not live again: the begin of another was missed.
		if !lives(from) || j.late && j.past.has(tcb) {
			return
		}
		c = j.newConn(tcb)
		c.older, c.states = true, true
		c.path.Append(from)
	}
	c.gap = c.gap || j.late
	if c.reported {
		return
	}
	// Events of one moment, on several CPUs, come in any order.
	if c.closed && e.Time == c.ended && from != c.lastState() {
		c.gap = true
		return
	}
	whole := !c.gap && e.Time != c.stepped
	if c.step(e.Time, from, to) && whole {
		j.unused["transition"]++
	}
	if to == model.TimeWait || to == model.Closed {
		j.end(c, e.Time, true)
	}
}

// lives: a connection in this state has not ended.
func lives(s model.State) bool {
	switch s {
	case model.StateUnknown, model.Closed, model.Listen, model.TimeWait:
		return false
	default:
		return true
	}
}

// opened takes the first step of a connection.
func (j *Joiner) opened(e *raw.Event, tcb uint64, to model.State) {
	c := j.conns[tcb]
	switch {
	case c != nil && (c.path.IsZero() && !c.older && c.ended == 0):
		// The connect was reported before.
	case c != nil && j.late:
		c.gap = true
		return
	case c != nil && c.older && c.seen == e.Time:
		c.older, c.gap = false, true // what followed at the same moment came first
	case c != nil && c.path.Len() == 1 && c.lastState() == model.SynSent && to == model.SynRecv:
		c.path.Append(to) // simultaneous open
		return
	default:
		if c != nil {
			j.missed(c)
		}
		c = j.newConn(tcb)
	}
	c.states = true
	if c.path.IsZero() {
		c.path.Append(to)
	}
	c.start, c.stepped = e.Time, e.Time
	if to == model.SynSent {
		c.role = model.Active
		j.thread(e.TID).connecting = c
	} else {
		c.role = model.Passive
	}
}

// step appends a transition. One that does not begin where the last one ended
// shows that another is missing, which it returns.
func (c *conn) step(at model.Time, from, to model.State) (missing bool) {
	last := c.lastState()
	switch {
	case c.path.IsZero():
		if from != model.Closed && from != model.Listen {
			c.path.Append(from)
		}
		missing = !c.older
	case c.assumed && last == to:
		c.assumed = false
		return false
	case last != from && (last != model.SynRecv || from != model.SynSent):
		missing = true
	}
	c.gap = c.gap || missing
	c.assumed = false
	c.stepped = at
	c.path.Append(to)
	switch to {
	case model.FinWait1, model.CloseWait:
		if c.firstFIN == 0 {
			c.firstFIN = at
		}
	case model.FinWait2, model.TimeWait:
		c.acked(at)
	case model.Closed:
		if from == model.LastAck || from == model.Closing {
			c.acked(at)
		}
	default:
	}
	return missing
}

// acked: our FIN is acknowledged.
func (c *conn) acked(at model.Time) {
	if c.finAcked == 0 {
		c.finAcked = at
	}
}

// interfaceDown is the latest event 1446: an address went away, and with it
// its connections.
type interfaceDown struct {
	at      model.Time
	address netip.Addr
	index   uint32
}

// interfaceHint adds the event that explains a burst of system aborts.
func (j *Joiner) interfaceHint(c *conn) {
	if j.down.at == 0 || j.now.Sub(j.down.at) > time.Second || j.down.address.Unmap() != c.tuple.local.Address {
		return
	}
	c.note(raw.TCPIP, &raw.Event{ID: 1446}, model.Some(j.down.index))
}
