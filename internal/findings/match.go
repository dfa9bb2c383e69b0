package findings

import (
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// The conditions of the patterns. Each looks at m.end, and at m.other if that is known.
// They read facts only; a missing fact never makes a condition hold.

const (
	// justNow is how old data that was sent while closing may be, jiffies included.
	justNow = 50 * time.Millisecond
	// idleLeast is the least time without data that is called idle.
	idleLeast = 500 * time.Millisecond
	// small is less than an upload and more than a usual request.
	small = 64 << 10
	// bodyLeast is the least unread data that is taken for an upload.
	bodyLeast = 1024
)

// tiny: connected, hardly any data, reset. Whether it is a health check shows when it
// repeats.
func tiny(m *match) bool {
	x := m.end
	if x.stray || x.between || x.unread > 0 || x.unacked > 0 && !x.passive() || x.sent < 0 || x.received < 0 || x.sent+x.received+max(x.unacked, 0) > 1024 {
		return false // a RST comes before the acknowledgement of what its sender has read
	}
	if x.passive() && x.received > 0 && !x.spoke() || !x.passive() && x.sent > 0 && x.received == 0 {
		return false // it asked, and was not answered: a check that fails
	}
	short := x.duration >= 0 && x.duration < time.Second
	switch {
	case x.cause == model.CausePeerReset && x.passive(), (x.cause == model.CauseLingerZero || x.cause == model.CauseLocalAbort) && !x.passive():
		return short && (m.other == nil || m.other.cause == model.CauseLingerZero || m.other.cause == model.CauseLocalAbort || m.other.cause == model.CausePeerReset && m.other.passive() && x.cause != model.CausePeerReset)
	}
	return false
}

// closeNotify: all that was discarded is a farewell, after both ends had sent as much as TLS needs. At a port
// that is not TLS's it may be a short message, too.
func closeNotify(m *match) bool {
	x, o := m.end, m.other
	if !x.exchanged() || x.lateAnswer() || !tls(x) && !perhapsTLS(x) {
		return false
	}
	m.inferred = !tls(x)
	switch x.cause {
	case model.CauseUnreadData:
		// The peer had finished, and what was left is too little to be more than that.
		if x.call == model.CallExit && x.signal != 0 || !x.finIn && x.initiator != model.InitiatorPeer && (!alone(x.unread) || !tls(x)) {
			return false
		}
		if !farewell(x.unread) {
			return false
		}
		m.bytes = x.unread
		return true
	case model.CauseDataAfterClose:
		if o == nil || !farewell(o.unacked) || x.passive() && !o.closed() && !goodbye(x, o.unacked) {
			return false
		}
		m.bytes = o.unacked
		return true
	case model.CausePeerReset:
		// The peer had sent its FIN; what it no longer took is a farewell.
		if !x.passive() || !x.finIn || !farewell(x.unacked) || o != nil && o.cause == model.CauseUnreadData {
			return false
		}
		m.bytes, m.inferred = x.unacked, m.inferred || o == nil
		return true
	default:
		return false
	}
}

// closed: the application had closed or shut down this end by itself.
func (e *end) closed() bool {
	return e.call != model.CallUnknown || e.last == model.LastAck || e.last == model.FinWait1 ||
		e.last == model.FinWait2 || e.last == model.Closing
}

func backlogDropped(m *match) bool {
	x := m.end
	m.bytes, m.detail = x.unread, x.closer
	if m.foreign = x.pid != 0 && x.closerPID != 0 && x.closerPID != x.pid && x.call == model.CallUnknown; m.foreign {
		m.detail = human.Process(x.closer, x.closerPID)
	}
	return x.cause == model.CauseListenerClosed
}

// inherited: not the owner but another process had the last descriptor, and the
// peer was still waiting.
func inherited(m *match) bool {
	x := m.end
	if x.pid == 0 || x.closerPID == 0 || x.pid == x.closerPID && !x.inherited || x.call == model.CallDestroy || x.cause == model.CauseListenerClosed {
		return false
	}
	if x.inherited && x.lastSent != 0 && x.time.Sub(x.lastSent) < time.Second {
		return false // it served the connection until now: PostgreSQL's process of a session
	}
	m.bytes, m.detail = x.unread, human.Process(x.closer, x.closerPID)
	m.idle = max(0, x.duration)
	return x.unread > 0 && (x.call == model.CallExit || x.process == x.closer)
}

// upstreamRefused: a proxy accepted the client, and its own attempt to connect for it had
// just failed.
func upstreamRefused(m *match) bool {
	x := m.end
	if x.sent > 0 || !x.passive() || x.verdict == model.FailedOpen || x.initiator == model.InitiatorPeer || x.call == model.CallExit {
		return false
	}
	f := m.engine.refusals.forClient(x)
	if f == nil {
		return false
	}
	m.peer, m.also, m.bytes = f.peer, f.id, x.unread
	return true
}

// earlyAnswer: answered and closed while the peer was still uploading.
func earlyAnswer(m *match) bool {
	x, o := m.end, m.other
	if x.passive() {
		if x.cause != model.CauseUnreadData && x.cause != model.CauseDataAfterClose || !x.spoke() || x.call == model.CallExit {
			return false
		}
		if gap := x.gap(); gap >= idleLeast {
			return false
		}
		m.bytes = max(x.unread, 0)
		if o != nil {
			m.bytes = max(m.bytes, o.unacked)
		}
		return m.bytes >= bodyLeast
	}
	if o != nil || x.cause != model.CausePeerReset || x.received <= 0 || x.unacked < small {
		return false
	}
	// Linux gives what had come to the application after a RST too: it may have read the answer.
	just := x.received < small/8 && x.lastReceived != 0 && x.time.Sub(x.lastReceived) < idleLeast
	if !x.finIn && x.unread <= 0 && !just {
		return false
	}
	m.bytes, m.inferred = x.unacked, true
	return true
}

// requestLost: closed although a request had just come.
func requestLost(m *match) bool {
	x := m.end
	if x.cause != model.CauseUnreadData || !x.passive() || x.call == model.CallExit ||
		x.initiator == model.InitiatorPeer || x.unread <= 0 || x.unread >= small {
		return false
	}
	if unread(x) || x.spoke() && goodbye(x, x.unread) {
		return false // turned-away, or a farewell
	}
	if x.spoke() { // it has answered before: was this another request?
		gap := x.gap()
		if gap >= 0 && gap < idleLeast || x.speaker == model.SideLocal {
			return false
		}
		m.inferred = gap < 0
		m.idle = max(gap, 0)
	}
	m.inferred = m.inferred || x.sent < 0 // it may have answered before
	m.bytes = x.unread
	m.blocked = sinceHeard(x)
	return true
}

// neverAnswered: one request came, and after a while the server closed gracefully without
// an answer; what the client sent after that met the closed socket.
func neverAnswered(m *match) bool {
	x := m.end
	if x.heardNothing(m.other) {
		m.bytes, m.idle, m.inferred = x.sent, x.idle, true
		return true
	}
	if !x.passive() || x.initiator != model.InitiatorLocal || x.later && x.cause == model.CauseFIN || x.told != 0 || x.cancels() || mute(x) || !m.byProcess() {
		return false
	}
	if x.sent != 0 || x.unacked > 0 || x.unread > 0 || x.received <= 0 || x.received >= small || x.idle < 0 || x.began == 0 {
		return false
	}
	m.bytes, m.idle, m.inferred = x.received, max(x.idle, 1), true
	if f := m.passedOn(); f != nil {
		m.kind, m.peer, m.also = byUpstream, f.peer, f.id
	}
	return x.lastReceived != 0 && x.lastReceived.Sub(x.began) < time.Second
}

// heardNothing is that of the client's end alone: its only message was acknowledged, and a while later
// the server closed in good order.
func (e *end) heardNothing(o *end) bool {
	return !e.passive() && o == nil && e.initiator == model.InitiatorPeer && e.cause == model.CauseFIN && !e.later && e.sent > 0 && e.sent < small && e.received == 0 &&
		e.unacked <= 0 && e.idle >= time.Second && e.saidOnce() && !mute(e) && !e.broker()
}

// saidOnce: all that this end has sent came within a second of the connection's begin, or of when its SYN
// was answered: if no data was sent again, the retransmissions are of SYNs, a second later and more each.
// Or all of it was sent again: the server's queue was full.
func (e *end) saidOnce() bool {
	within := time.Second
	if e.retransmits > 0 && e.resent == 0 && !e.passive() {
		within += time.Second << min(e.retransmits, 3)
	}
	return e.began != 0 && e.lastSent != 0 && (e.lastSent.Sub(e.began) < within || e.resent >= e.sent)
}

// gaveUp: a client sent its only request, or one more, and closed when no answer had come for a while.
func gaveUp(m *match) bool {
	x := m.end
	if x.passive() || x.initiator != model.InitiatorLocal || mute(x) ||
		x.cause != model.CauseFIN && x.cause != model.CauseDataAfterClose && x.cause != model.CauseLingerZero && x.cause != model.CauseLocalAbort && (x.cause != model.CausePeerReset || m.other != nil) || !m.byProcess() {
		return false
	}
	late := x.answeredLate(m.other)
	least := time.Second - justNow // a limit of 1 s
	if late {
		least = 200 * time.Millisecond
	}
	if x.sent <= 0 || x.received < 0 || x.unacked > 0 || x.lastSent == 0 || x.idle < least {
		return false
	}
	m.idle, m.inferred = x.idle, true
	m.detail, m.told = x.endedBy()
	// It may have heard a greeting, and gone on without answers: a publisher.
	m.echo = x.publishes() && !late
	if x.received > 0 { // what follows an answer at once may be HTTP/2's acknowledgement of it, and a process that ends has not given up
		return m.leftBySelf() && x.told == 0 && (x.asked() && !x.broker() || late)
	}
	return x.saidOnce()
}

// keepaliveRace: an idle connection was closed, and the other side's next request met
// the closed socket.
func keepaliveRace(m *match) bool {
	x, o := m.end, m.other
	if x.told != 0 {
		return false
	}
	if !x.exchanged() {
		return unusedRace(m)
	}
	switch {
	case x.cause == model.CauseDataAfterClose && x.passive() && (x.call != model.CallExit || x.byItself()):
		if !m.lostRequest() {
			return false
		}
		m.idle = max(x.idle, 0)
		if x.tookLeave() && (o != nil || saysFarewell(x) && x.afterClose()) {
			m.idle = x.gap()
			m.echo, m.inferred = m.echo || o == nil, m.inferred || o == nil // a farewell may answer its own
			return true
		}
		if x.idle < 0 { // an old recording
			m.inferred = true
			return x.duration >= time.Second && (x.rule == "late-data-in-time-wait" || o != nil && o.closeWait)
		}
		return x.idle >= idleLeast || !m.echo && m.engine.bursts.hasten(x)
	case x.cause == model.CauseFIN && x.passive() && x.initiator == model.InitiatorLocal && !x.later:
		// It throws away what comes. What comes at once was under way, or is a farewell.
		m.idle = max(x.idle, 0)
		m.echo, m.inferred = goodbyesAt(x.port()) != nil, perhapsTLS(x)
		return x.late >= justNow && x.idle >= idleLeast && !tls(x)
	case o == nil && x.cause == model.CausePeerReset && !x.passive() && x.finIn && !x.closed():
		// The other end is not known: it had closed, then we sent.
		idle := x.gap()
		if x.firstFIN != 0 { // what was sent after the FIN is no longer in these times
			idle = max(idle, x.idle)
		}
		m.inferred, m.idle, m.echo = true, max(idle, 0), perhapsFarewell(x, x.unacked)
		return x.unacked > 0 && x.unacked < small && (idle >= idleLeast || !m.echo && m.engine.partings.hasten(x)) && !goodbye(x, x.unacked)
	}
	return false
}

// tookLeave: after a silence this end said something, and closed soon after: PostgreSQL says why it
// ends a session, and its process takes a while to end on a busy machine.
func (e *end) tookLeave() bool {
	gap := e.gap()
	if e.speaker != model.SideLocal || e.idle < 0 || gap < time.Second {
		return false
	}
	return saysFarewell(e) && e.idle <= gap/2 || e.idle < idleLeast && e.idle <= gap/4
}

// halfClose: the peer shut down its sending side after a small request and waited; it
// was closed without an answer.
func halfClose(m *match) bool {
	x, o := m.end, m.other
	if o == nil || !x.passive() || x.initiator != model.InitiatorPeer || x.received <= 0 || x.sent != 0 ||
		x.call == model.CallExit || x.verdict == model.FailedOpen || x.cause == model.CauseListenerClosed || mute(x) {
		return false
	}
	m.bytes, m.inferred = x.received, true
	if x.unread <= 0 && (x.received >= small || x.began != 0 && x.lastReceived.Sub(x.began) >= 5*time.Second) {
		return false // a transfer, which it has read to the end
	}
	if o.closeTime != 0 && o.closeTime < x.closing() {
		return false // it gave up: Java calls shutdown() before close(), too
	}
	m.echo, m.idle = o.idle >= idleLeast, max(o.idle, 0)
	return o.call == model.CallShutdown && o.received == 0
}

func slowClose(m *match) bool {
	x := m.end
	m.blocked, m.bytes = x.blocked, x.unacked
	return x.verdict == model.LingerTimeout || x.blocked >= 200*time.Millisecond
}
