package findings

import (
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Conditions of clients that wait for an answer on a connection that they had used before.

// asked: both ends had spoken, and the client last, but not at once after the server, as HTTP/2
// acknowledges what it gets.
func (e *end) asked() bool {
	after := e.lastSent.Sub(e.lastReceived)
	if e.passive() {
		after = -after
	}
	return e.clientLast() && e.lastSent != 0 && e.lastReceived != 0 && after > max(justNow, 2*e.srtt)
}

// answeredLate: something came long after the client had closed, and no farewell, which comes at
// once: an answer was due.
func (e *end) answeredLate(o *end) bool {
	return (e.clientLast() || !e.passive() && e.sent > 0 && e.received == 0) && e.cause == model.CauseDataAfterClose && e.afterClose() &&
		(plain(e) || !tls(e) && o == nil || o != nil && !farewell(o.unacked))
}

// plain: what its connection carried was not TLS.
func plain(x *end) bool { return !tls(x) && (!perhapsTLS(x) || goodbyesAt(x.port()) != nil) }

// lateAnswer: what this end was sent, or sent, too late came so late that it is no farewell, and not
// from the client.
func (e *end) lateAnswer() bool {
	return (e.cause == model.CausePeerReset || e.cause == model.CauseDataAfterClose && !e.passive()) && plain(e) && e.afterClose()
}

// afterClose: its cause came later than at once after it began to close.
func (e *end) afterClose() bool { return e.time.Sub(e.closing()) > max(justNow, 2*e.srtt) }

// clientLast: both ends had spoken, and the client last.
func (e *end) clientLast() bool {
	return e.exchanged() && (e.speaker == model.SidePeer && e.passive() || e.speaker == model.SideLocal && !e.passive())
}

// publishes: the client has heard a greeting at most, and went on without answers.
func (e *end) publishes() bool {
	said, heard := e.lastSent, e.lastReceived
	if e.passive() {
		said, heard = heard, said
	}
	return e.exchanged() && e.began != 0 && heard.Sub(e.began) < time.Second && said.Sub(e.began) >= time.Second
}

// mayNeedNone: what clients at this port say last may need no answer, at any time: a window update of
// HTTP/2, which TLS hides, MySQL's COM_STMT_CLOSE, or what is published.
func mayNeedNone(port uint16) bool {
	return port == mysqlPort || slices.Contains(tlsPorts, port) || slices.Contains(brokerPorts, port) || slices.Contains(mutePorts, port)
}

const lastUnansweredTitle = "Closed with the last request unanswered"

// lastUnanswered: a server closed a used connection in good order, and its client waited. MySQL's
// clients ask as soon as they have logged in.
func lastUnanswered(m *match) bool {
	x := m.end
	m.idle, m.inferred = x.idle, true
	if x.later || x.told != 0 || x.cause != model.CauseFIN || x.idle < time.Second || !x.clientLast() {
		return false
	}
	if x.port() != mysqlPort && (!x.asked() || x.publishes()) {
		return false
	}
	return x.passive() && m.leftBySelf() || !x.passive() && m.other == nil && x.initiator == model.InitiatorPeer
}
