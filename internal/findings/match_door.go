package findings

import (
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Conditions about the first and the last moments of a connection: what is turned away, what is
// given up half-way, and who ends it by hand.

const (
	// doorTime is how long a server takes at most to turn a client away, messageMost how much
	// it says.
	doorTime    = 200 * time.Millisecond
	messageMost = 512
)

// turnedAway: the server closed as soon as it had accepted, with a message or without one,
// before it had read anything.
func turnedAway(m *match) bool {
	x := m.end
	if !x.passive() || x.later && x.cause != model.CauseDataAfterClose || x.initiator != model.InitiatorLocal ||
		x.call != model.CallClose && x.call != model.CallShutdown || x.duration < 0 || x.duration >= doorTime {
		return false
	}
	if x.sent < 0 || x.sent > messageMost || x.received < 0 || x.received != max(x.unread, 0) || x.unacked > 0 {
		return false // it has read
	}
	m.bytes = x.sent
	if x.cause == model.CauseFIN {
		return m.other == nil || m.other.sent <= 0
	}
	return x.sent > 0 && (x.cause == model.CauseDataAfterClose || x.cause == model.CauseUnreadData)
}

// leftHalfway: a client closed while the answer was still coming.
func leftHalfway(m *match) bool {
	x, o := m.end, m.other
	m.bytes, m.blocked = max(x.unread, 0), max(x.duration, 0)
	if o != nil {
		m.bytes = max(m.bytes, o.unacked)
	}
	return !x.passive() && x.initiator == model.InitiatorLocal && x.exchanged() && x.speaker != model.SideLocal &&
		x.idle < idleLeast && x.call != model.CallDestroy && m.bytes > messageMost &&
		(x.cause == model.CauseUnreadData || x.cause == model.CauseDataAfterClose)
}

// destroyed: somebody ended it from outside.
func destroyed(m *match) bool {
	m.detail = m.end.closer
	return m.end.cause == model.CauseDestroyed
}

// noSYNACK: connect() was given up by the program when the SYN had been sent again.
func noSYNACK(x *end) bool {
	return x.cause == model.CauseConnectCancelled && !x.passive() && (x.retransmits > 0 || x.retransmits < 0 && x.duration >= time.Second)
}

// violent are signals that a process does not end by in good order.
func violent(signal string) bool {
	return strings.HasPrefix(signal, "SIG") && signal != "SIGTERM" && signal != "SIGINT" && signal != "SIGQUIT" && signal != "SIGHUP"
}

// ofOneConnection: every process of the group had one connection, and ended with it by itself,
// as PostgreSQL's do.
func (g *group) ofOneConnection() bool {
	return g.detail == "" && uint64(len(g.pids)) >= min(g.count, maxPeers)
}
