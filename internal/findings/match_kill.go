package findings

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// Conditions of processes that end.

// killed: the process ended while the peer waited for its answer; or it got a signal to
// end, and closed the connection by itself.
func killed(m *match) bool {
	x := m.end
	if !x.passive() || x.received <= 0 || x.initiator == model.InitiatorPeer && x.unread <= 0 || x.cancels() || x.answered() {
		return false
	}
	if x.call != model.CallExit && (x.told == 0 || x.later || x.initiator != model.InitiatorLocal || x.call == model.CallDestroy) {
		return false
	}
	m.detail, m.told = x.endedBy()
	if x.unread <= 0 {
		if !x.unanswered() || m.saidGoodbye() || (x.oneWay() || x.answersAtOnce()) && !violent(m.detail) {
			return false
		}
		m.after = x.oneWay() || x.echoed()
		m.echo = x.oneWay() || m.after && sinceHeard(x) >= time.Second
	}
	m.bytes = x.unread
	m.blocked = sinceHeard(x)
	return true
}

// oneWay: this end has said nothing or next to nothing, at the beginning, and the peer went on: a shipper of
// logs or of metrics, a publisher. An upload goes on for long, too, but not in small segments; that
// nobody has answered for half a minute is no request.
func (x *end) oneWay() bool {
	talked := x.lastReceived.Sub(x.began)
	if x.broker() || mute(x) {
		return true
	}
	if x.began == 0 || x.lastReceived == 0 || talked < time.Second {
		return false
	}
	if n := x.segments; n >= 10 && (x.lastSent == 0 || x.lastSent.Sub(x.began) < time.Second || 4*x.sent < n) && x.sent >= 0 && x.sent < 2*n && x.received >= 8*n && x.received < 512*n {
		return true
	}
	return !x.spoke() && talked > 30*time.Second && (x.received < small || talked > time.Minute)
}

// answersAtOnce: Redis has answered all that it has read, unless it is SHUTDOWN, what a replica
// acknowledges, or a command that waits for others.
func (x *end) answersAtOnce() bool {
	program := knobsOf(x.process).program
	return program == "redis" || program == "valkey"
}

// echoed: the peer's last words came as soon as it had heard those of this end: if it has been
// silent since, what HTTP/2 and WebSocket say without wanting an answer, or the next request.
func (x *end) echoed() bool {
	after := x.lastReceived.Sub(x.lastSent)
	return x.lastSent != 0 && after >= 0 && after <= max(justNow, 2*x.srtt)
}

// saidGoodbye: a server with one process for each connection exits by itself when it has
// read that the client goes (PostgreSQL's Terminate), or has ended its work (the stream of pg_basebackup)
// and only that word still comes. It had answered before, and on a busy machine its FIN comes before the client's.
func (m *match) saidGoodbye() bool {
	x, o := m.end, m.other
	if x.signal != 0 || x.told != 0 || x.sent <= 0 {
		return false
	}
	if x.cause == model.CauseDataAfterClose {
		return o != nil && (farewell(o.unacked) || goodbye(x, o.unacked)) || o == nil && goodbyesAt(x.port()) != nil
	}
	return x.verdict == model.Graceful
}

// answered: a program that serves one connection, as xinetd starts it (clustercheck), ends by itself
// when it has answered, and need not have read the request; or when it has read that its client goes.
func (x *end) answered() bool {
	return x.byItself() && x.spoke() && (x.speaker == model.SideLocal && x.unread < bodyLeast || goodbye(x, x.unread))
}

// endedBy returns the signal that ended the process of x, and whether it is known who sent it.
func (x *end) endedBy() (signal string, told bool) {
	if x.signal == 0 && x.told != 0 {
		return model.SignalName(x.told), true
	}
	if x.signal == 0 {
		return "", false
	}
	return model.SignalName(x.signal), x.told == x.signal
}

// sinceHeard is how long the peer's last data had waited when this end ended.
func sinceHeard(x *end) time.Duration {
	if x.lastReceived == 0 {
		return 0
	}
	return max(0, x.time.Sub(x.lastReceived))
}
