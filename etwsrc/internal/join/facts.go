package join

import (
	"strconv"

	"github.com/closetrace/closetrace/model"
)

// name is the connection's ID: the TCB as Windows names it, and its generation.
func (c *conn) name() string {
	return strconv.FormatUint(c.tcb&0xFFFFFFFF, 16) + "-" + strconv.FormatUint(c.id, 16)
}

// facts returns everything that is known of c.
func (j *Joiner) facts(c *conn) model.Facts {
	if c.path.Has(model.TimeWait) { // whatever came then ended nothing
		c.announced &^= ends
		c.errno = ""
	}
	f := model.Facts{
		Time: c.ended, ID: c.name(), StartTime: c.start,
		Network: model.Network{Local: c.tuple.local, Peer: c.tuple.peer},
	}
	if c.start != 0 && c.ended >= c.start {
		f.Duration = model.Some(c.ended.Sub(c.start))
	}
	if c.pid != 0 {
		f.Process.PID, f.Process.Source = int(c.pid), c.owner
	}
	e := &f.Evidence
	e.Announced, e.AbortReason, e.Events = c.announced, c.reason, c.refs()
	e.FirstFIN = c.firstFIN
	e.Gap = j.gap || c.gap || c.losses != j.losses || c.close.done && c.close.uncertain
	e.Uncounted = e.Gap && j.uncounted
	c.closerFacts(&f)
	c.tcpFacts(&f)
	if f.TCP.FIN.Sent.Is(true) {
		e.Announced.Add(model.ObservedShutdown)
	}
	if f.TCP.FIN.Received.Is(true) {
		e.Announced.Add(model.ObservedPeerFIN)
	}
	if c.closed && e.Announced&ends == 0 {
		c.unexplained(e)
	}
	c.closeFacts(&f)
	return f
}

// unexplained adds what the states alone say of an end that nothing explains.
func (c *conn) unexplained(e *model.Evidence) {
	switch c.path.Last() {
	case model.SynSent, model.SynRecv:
		e.Announced.Add(model.ObservedConnectFailed)
	case model.Established, model.CloseWait, model.FinWait1, model.FinWait2:
		e.Announced.Add(model.ObservedCutOff)
	default:
	}
}

// ends are the observations that say how a connection or an attempt ended.
const ends = model.Observations(1<<model.ObservedRSTReceived | 1<<model.ObservedRefused | 1<<model.ObservedConnectTimeout |
	1<<model.ObservedUnreachable | 1<<model.ObservedConnectFailed | 1<<model.ObservedAbort | 1<<model.ObservedRetransmitTimeout |
	1<<model.ObservedKeepaliveTimeout | 1<<model.ObservedZeroWindowTimeout | 1<<model.ObservedDisconnectTimeout |
	1<<model.ObservedSystemAbort | 1<<model.ObservedDestroyed | 1<<model.ObservedPeerRestart | 1<<model.ObservedFinWait2Timeout)

// stackEnds are made by the stack alone: what starts the disconnect timer is
// not documented.
const stackEnds = ends &^ (1<<model.ObservedAbort | 1<<model.ObservedDisconnectTimeout)

func (c *conn) closerFacts(f *model.Facts) {
	switch {
	case c.close.done:
		f.Closer = model.Closer{PID: int(c.close.pid), TID: int(c.close.tid), Call: model.CallClose}
		if c.pid == 0 {
			f.Process.PID, f.Process.Source = int(c.close.pid), model.OwnerCloser
		}
	case c.closer.tid != 0 && c.closer.pid != 0 && c.closer.pid == c.pid:
		// The owner's thread asked; which call it made was not reported.
		f.Closer = model.Closer{PID: int(c.closer.pid), TID: int(c.closer.tid)}
	}
	if c.announced.Has(model.ObservedDestroyed) {
		f.Closer = model.Closer{Call: model.CallDestroy}
	}
}

func (c *conn) tcpFacts(f *model.Facts) {
	t := &f.TCP
	t.Role, t.Path, t.Error = c.role, c.path, c.errno
	t.Loopback, t.Preexisting = f.Network.Loopback(), c.older
	sent := c.path.Has(model.FinWait1) || c.path.Has(model.FinWait2) || c.path.Has(model.Closing) ||
		c.path.Has(model.TimeWait) || c.path.Has(model.LastAck) || c.announced.Has(model.ObservedShutdown)
	received := c.path.Has(model.CloseWait) || c.path.Has(model.Closing) || c.path.Has(model.TimeWait) ||
		c.path.Has(model.LastAck) || c.announced.Has(model.ObservedPeerFIN)
	// What the states do not show did not happen only if all states were reported.
	all := c.states && c.closed && !f.Evidence.Gap
	if sent || all {
		t.FIN.Sent = model.Some(sent)
	}
	if received || all && c.path.Last() != model.FinWait2 {
		t.FIN.Received = model.Some(received)
	}
	if c.rstSent {
		t.RST.Sent, t.RST.Reason = model.Some(true), c.rstText
	}
	if c.announced.Has(model.ObservedRSTReceived) || c.announced.Has(model.ObservedRefused) {
		t.RST.Received = model.Some(true)
	}
	c.summaryFacts(t)
	if c.closed {
		t.TimeWait = model.Some(c.path.Has(model.TimeWait))
	}
}

// closeFacts says how the closesocket went.
func (c *conn) closeFacts(f *model.Facts) {
	e, call := &f.Evidence, &c.close
	if !call.done {
		return
	}
	e.CloseTime = call.begin
	f.Linger = call.linger.facts()
	if c.aborted != 0 {
		e.AbortInClose = c.abortInClose()
	}
	if call.begin == 0 || !call.linger.on || call.linger.seconds == 0 || c.reason == model.AbortUnread {
		return
	}
	w := &e.Wait
	w.Began = true
	w.Returned = model.Some(call.end.Sub(call.begin))
	switch {
	case c.aborted != 0 && e.AbortInClose.Is(true):
		// The wait ended by the abort, not by the data.
	case c.finAcked != 0 && c.finAcked < call.end:
		w.Left = model.Some(max(c.finAcked.Sub(call.begin), 0))
	case f.TCP.FIN.Sent.Is(true) || c.ended < call.end:
		w.Left = model.Some(min(call.end, max(c.ended, call.begin)).Sub(call.begin))
	}
}

// abortInClose: the abort was asked for between the begin and the end of
// closesocket; or, by another thread, just after it; or, where the begin was
// not seen, in the same thread just before its end.
func (c *conn) abortInClose() model.Opt[bool] {
	call := &c.close
	switch {
	case call.begin != 0:
		return model.Some(c.aborted >= call.begin && c.aborted <= call.end.Add(closedGrace))
	case c.abortTID == call.tid && within(c.aborted, call.end, closedGrace):
		return model.Some(true)
	default:
		return model.Opt[bool]{}
	}
}
