package join

import (
	"fmt"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// tcp takes an event of the TCP stack.
func (j *Joiner) tcp(e *raw.Event) {
	if e.ID < 1000 || int(e.ID)-1000 >= len(tcpEvents) {
		return
	}
	ev := &tcpEvents[e.ID-1000]
	if ev.do == ignore {
		return
	}
	f, ok := j.decode(raw.TCPIP, e)
	if !ok {
		return
	}
	j.sawTCPIP = true
	switch ev.do {
	case changesState:
		j.stateChange(e, f)
	case asksConnect, accepts, connects:
		j.birth(e, f, ev.do)
	case connectFails:
		j.connectFailed(e, f)
	case asksClose:
		j.askedToClose(e, f, ev)
	case announces:
		j.announced(e, f, ev)
	case tellsOpen:
		j.rundown(f)
	case sendsReset:
		j.resetSent(e, f)
	case failedBefore:
		j.recentFailure(e, f)
	case sumsUp:
		j.summary(f)
	case interfaceFalls:
		address, _ := f.Uint(payload.FieldIfIndex)
		j.down = interfaceDown{j.now, payload.SockAddr(f.Bytes(payload.FieldAddress)).Address, uint32(address)}
	case ignore:
	}
}

// find returns the connection that an event with a TCB is about. One that is
// not known is older than the trace, or its begin was lost.
func (j *Joiner) find(f *payload.Payload) *conn {
	tcb := f.Pointer(payload.FieldTcb)
	local, peer := f.Address(payload.FieldLocalAddress), f.Address(payload.FieldRemoteAddress)
	c := j.conns[tcb]
	if was, past := j.past.set[tcb]; c == nil && past {
		// Only other addresses show that the TCB is another connection's.
		if key := (tuple{local, peer}).key(); was == 0 || key == 0 || key == was {
			return nil
		}
	}
	if c != nil && !j.address(c, local, peer) {
		j.missed(c)
		c = nil
	}
	if c == nil {
		c = j.newConn(tcb)
		c.older = true
		j.address(c, local, peer)
	}
	c.gap = c.gap || j.late
	return c
}

// begin returns the connection that an event at the begin of one is about: a
// new one, unless the TCB has one that is as young or began at this moment.
func (j *Joiner) begin(tcb uint64, local, peer model.Endpoint) *conn {
	c := j.conns[tcb]
	young := c != nil && c.young()
	if c != nil && (young || j.late || c.seen == j.now) && j.address(c, local, peer) {
		c.gap = c.gap || j.late || !young
		return c
	}
	if c != nil {
		j.missed(c)
	}
	c = j.newConn(tcb)
	j.address(c, local, peer)
	return c
}

// young: nothing is known of c but that it was opened.
func (c *conn) young() bool {
	switch c.lastState() {
	case model.StateUnknown, model.SynSent, model.SynRecv, model.Established:
		return c.ended == 0 && c.path.Len() <= 3 && len(c.events) == 0
	default:
		return false
	}
}

// birth takes the events that say who opened a connection.
func (j *Joiner) birth(e *raw.Event, f *payload.Payload, do action) {
	c := j.begin(f.Pointer(payload.FieldTcb), f.Address(payload.FieldLocalAddress), f.Address(payload.FieldRemoteAddress))
	if c.start == 0 {
		c.start = e.Time
	}
	switch do {
	case asksConnect:
		c.role = model.Active
		c.own(e.PID, model.OwnerConnect)
		t := j.thread(e.TID)
		t.connecting = c
		j.connecting(t, c)
		return
	case connects:
		c.role = model.Active
		if status := f.Uint32(payload.FieldStatus); status != 0 {
			j.failed(c, e, status)
			return
		}
		c.own(f.Uint32(payload.FieldProcessId), model.OwnerConnect)
	default:
		j.passive(c)
		c.own(f.Uint32(payload.FieldProcessId), model.OwnerListener)
	}
	if !c.path.Has(model.Established) {
		c.path.Append(model.Established)
		c.assumed = true
	}
}

// own sets the owner, if it is not known yet. Events of a teardown often have
// process 0.
func (c *conn) own(pid uint32, source model.OwnerSource) {
	if pid != 0 && pid != raw.NoThread && c.pid == 0 {
		c.pid, c.owner = pid, source
	}
}

func (j *Joiner) connectFailed(e *raw.Event, f *payload.Payload) {
	if c := j.find(f); c != nil {
		c.role = model.Active
		c.own(f.Uint32(payload.FieldProcessId), model.OwnerConnect)
		j.failed(c, e, f.Uint32(payload.FieldStatus))
	}
}

func (j *Joiner) failed(c *conn, e *raw.Event, status uint32) {
	why := failureOf(status)
	j.announce(c, why.announced, why.errno)
	c.note(raw.TCPIP, e, model.Some(status))
	j.end(c, e.Time, false)
}

// announce adds n. What comes after the report is an outcome, if it says that
// the end was another one: not where the application closes what had ended. Nothing ends
// a connection in TIME_WAIT otherwise: a RST only removes what is left of it (RFC 1337).
func (j *Joiner) announce(c *conn, n model.Observation, errno string) {
	ended := c.announced&ends != 0 || c.lastState() == model.Closed || c.path.Has(model.TimeWait)
	c.announced.Add(n)
	if c.errno == "" {
		c.errno = errno
	}
	if ended || !c.reported || c.outcome || 1<<n&ends == 0 {
		return
	}
	c.outcome = true
	facts := j.facts(c)
	facts.Evidence.Later = true
	j.out = append(j.out, model.NewEvent(model.KindOutcome, facts))
}

// askedToClose takes the events that the closing thread itself causes.
func (j *Joiner) askedToClose(e *raw.Event, f *payload.Payload, ev *tcpEvent) {
	c := j.find(f)
	if c == nil {
		return
	}
	status, hasStatus := f.Uint(payload.FieldStatus)
	c.note(raw.TCPIP, e, reasonOf(uint32(status), hasStatus && status != 0))
	c.own(f.Uint32(payload.FieldProcessId), model.OwnerUse)
	over := c.over(e.Time)
	if ev.announced == model.ObservedAbort && ev.has && !over && c.aborted == 0 {
		c.aborted, c.abortTID = e.Time, e.TID
	}
	// A FIN that could not be sent is none.
	if ev.has && !over && (ev.announced != model.ObservedShutdown || status == 0) {
		j.announce(c, ev.announced, "")
	}
	j.inThread(e, c)
	if ev.ends {
		j.end(c, e.Time, false)
	}
}

// over: c had ended before at, and not by an abort that was asked for, which
// comes before the transition. What the application asks of c at that time only
// closes what is left of it. What came first of one moment is not known.
func (c *conn) over(at model.Time) bool {
	if c.announced.Has(model.ObservedAbort) {
		return false
	}
	c.gap = c.gap || c.closed && at == c.ended
	return c.closed && at > c.ended || c.announced&stackEnds != 0
}

func reasonOf(v uint32, known bool) model.Opt[uint32] {
	if known {
		return model.Some(v)
	}
	return model.Opt[uint32]{}
}

// announced takes the events with which the stack names the end.
func (j *Joiner) announced(e *raw.Event, f *payload.Payload, ev *tcpEvent) {
	c := j.find(f)
	if c == nil {
		return
	}
	c.own(f.Uint32(payload.FieldProcessId), model.OwnerUse)
	c.own(f.Uint32(payload.FieldPid), model.OwnerUse)
	reason, hasReason := f.Uint(payload.FieldReason)
	c.note(raw.TCPIP, e, reasonOf(uint32(reason), hasReason))
	if ev.announced == model.ObservedAbort && c.over(e.Time) {
		return
	}
	if ev.announced == model.ObservedAbort && c.aborted == 0 {
		c.aborted = e.Time
	}
	if ev.announced == model.ObservedSystemAbort {
		j.interfaceHint(c)
	}
	j.announce(c, ev.announced, ev.errno)
	j.end(c, e.Time, false)
}

// rundown takes a connection that was open when the trace began.
func (j *Joiner) rundown(f *payload.Payload) {
	state, _ := f.Uint(payload.FieldState)
	s := stateOf(state)
	tcb := f.Pointer(payload.FieldTcb)
	if s == model.TimeWait || s == model.Closed || s == model.Listen {
		if j.conns[tcb] == nil {
			t := tuple{f.Address(payload.FieldLocalAddress), f.Address(payload.FieldRemoteAddress)}
			j.past.add(tcb, t.key(), j.limits.past)
		}
		return
	}
	c := j.find(f)
	if c == nil {
		return
	}
	c.own(f.Uint32(payload.FieldPid), model.OwnerIterator)
	if c.older && c.path.IsZero() {
		c.path.Append(s)
		c.states = true
	}
}

// resetSent takes an RST that left. Without a connection it answered a stranger.
func (j *Joiner) resetSent(e *raw.Event, f *payload.Payload) {
	c := j.conns[f.Pointer(payload.FieldTcb)]
	if c == nil {
		c = j.byTuple[tuple{f.Address(payload.FieldLocalSockAddr), f.Address(payload.FieldRemoteSockAddr)}]
	}
	if c == nil {
		return
	}
	c.gap = c.gap || j.late
	reason := f.Uint32(payload.FieldReason)
	c.rstSent, c.rstText = true, fmt.Sprintf("reason %d (unverified)", reason)
	if int(reason) < len(resetReasons) {
		c.rstText = resetReasons[reason]
	}
	c.note(raw.TCPIP, e, model.Some(reason))
	j.announce(c, model.ObservedRSTSent, "")
}
