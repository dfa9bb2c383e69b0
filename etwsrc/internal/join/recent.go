package join

import (
	"hash/maphash"
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// recentFailure takes an entry of the list of failed connections that Windows
// keeps and reports again and again, without a TCB. It becomes an end once, and
// only if it is of the trace's time and nothing else reported it.
func (j *Joiner) recentFailure(e *raw.Event, f *payload.Payload) {
	t := tuple{f.Address(payload.FieldLocalSockAddr), f.Address(payload.FieldRemoteSockAddr)}
	minute, second := f.Uint32(payload.FieldMinute), f.Uint32(payload.FieldSecond)
	entry := maphash.Comparable(tupleSeed, struct {
		tuple
		hour, minute, second uint32
	}{t, f.Uint32(payload.FieldHour), minute, second})
	if j.listed.has(entry) {
		return
	}
	j.listed.add(entry, 0, j.limits.listed)
	at := failedAt(e.Time, minute, second)
	if at.Add(time.Second) <= j.began {
		return
	}
	n, _ := f.Uint(payload.FieldTcpState)
	state, status := stateOf(n), f.Uint32(payload.FieldStatus)
	// What the status means in other states than SYN_SENT is not documented.
	why, role, owner := failure{announced: model.ObservedDisconnect}, model.RoleUnknown, model.OwnerUse
	if state == model.SynSent {
		why, role, owner = failureOf(status), model.Active, model.OwnerConnect
	}
	c := j.byTuple[t]
	switch {
	case c == nil:
		c = j.newConn(0)
		c.tuple, c.role, c.gap = t, role, true // of its time only the quarter of an hour is sure
		c.own(f.Uint32(payload.FieldProcessId), owner)
		if lives(state) {
			c.path.Append(state)
		}
		j.announce(c, why.announced, why.errno)
		c.note(raw.TCPIP, e, model.Some(status))
		j.end(c, at, false)
	case c.start > at.Add(time.Second): // another one
	default:
		c.note(raw.TCPIP, e, model.Some(f.Uint32(payload.FieldReason)))
		if c.ended != 0 && !c.reported && state == model.SynSent {
			j.announce(c, why.announced, why.errno)
		}
	}
}

// failedAt returns the time of an entry that was reported at told, from its
// minute and second. Whether its hour is of local time is not documented: times
// of all zones are the same modulo a quarter of an hour.
func failedAt(told model.Time, minute, second uint32) model.Time {
	const (
		zones = 15 * time.Minute
		// skew: the clock of the events is not that of the list.
		skew = 5 * time.Second
	)
	age := (time.Duration(told)%zones - time.Duration(minute*60+second)*time.Second%zones + zones) % zones
	if age < time.Second || age > zones-skew {
		return told
	}
	return told.Add(-age)
}
