package findings

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Conditions about the first and the last moments of a connection: what is turned away, what is
// given up half-way, and who ends it by hand.

const (
	// doorTime is how long a server takes at most to turn a client away, on a busy machine,
	// loginTime to refuse its first message, messageMost how much it says.
	doorTime    = 500 * time.Millisecond
	loginTime   = 2 * time.Second
	messageMost = 512
	// explanationMost is how much it says if it explains at length, and that proves nothing by
	// itself: redis in protected mode sends 1067 bytes.
	explanationMost = 2 << 10
	// errorLeast is less than any database's error has, and sessionLeast what a session begins with
	// at least (PostgreSQL's parameters).
	errorLeast, sessionLeast = 40, 300
	// mysqlLeast is more than MySQL's and MariaDB's greeting (up to 110) and an OK (11) have, after
	// which HAProxy's option mysql-check says goodbye.
	mysqlLeast = 126
)

// turnedAway: the server closed as soon as it had accepted, with a message or without one,
// before it had read anything.
func turnedAway(m *match) bool {
	x := m.end
	if m.bytes = x.sent; refusedLogin(x) && !checked(m.other) || tlsAlert(x) {
		m.kind, m.inferred = firstMessage, !tlsAlert(x)
		return true
	}
	if resetAtDoor(x) && m.passedOn() == nil {
		m.kind, m.bytes = atOnceReset, 0
		return true
	}
	if x.cause == model.CauseLingerZero || !x.passive() || x.later && x.cause != model.CauseDataAfterClose || x.initiator != model.InitiatorLocal ||
		x.call != model.CallClose && x.call != model.CallShutdown || !x.atDoor() {
		return false
	}
	m.gap = x.duration >= doorTime
	most := int64(messageMost)
	if x.cause != model.CauseFIN { // the request was not even read
		most = explanationMost
	}
	if m.bytes = x.sent + max(x.unacked, 0); x.sent < 0 || m.bytes > most || x.received < 0 || x.received != max(x.unread, 0) {
		return false // it has read
	}
	if x.cause == model.CauseFIN {
		return m.other == nil || m.other.sent <= 0
	}
	return unread(x) || m.bytes > 0 && (x.cause == model.CauseDataAfterClose || x.cause == model.CauseUnreadData)
}

// resetAtDoor: a server reset the connection as soon as it had accepted, or had read the first message.
func resetAtDoor(x *end) bool {
	return x.cause == model.CauseLingerZero && x.passive() && leftBySelf(x) && x.told == 0 && x.sent == 0 && x.unacked <= 0 && x.duration >= 0 && x.duration < doorTime
}

// unread: a server closed as soon as it had accepted, and has read nothing of a request that
// had come.
func unread(x *end) bool {
	return x.cause == model.CauseUnreadData && x.passive() && x.initiator == model.InitiatorLocal && x.told == 0 && !x.spoke() &&
		(x.call == model.CallClose || x.call == model.CallShutdown) && x.unread > 0 && x.unread == x.received && x.atDoor()
}

// atDoor: this end closed soon after the connection began. After shutdown() it may wait for long
// until the client has closed, too.
func (x *end) atDoor() bool {
	lasted := x.duration
	if x.call == model.CallShutdown && x.began != 0 {
		lasted = x.closing().Sub(x.began)
	}
	return lasted >= 0 && lasted < doorTime
}

// refusedLogin: a database answered the first message by an error, and that was all.
func refusedLogin(x *end) bool {
	if !x.passive() || x.verdict != model.Graceful || x.told != 0 || x.signal != 0 || x.sent < errorLeast || x.sent >= sessionLeast ||
		x.received <= 0 || x.received >= bodyLeast || x.duration < 0 || x.duration >= loginTime {
		return false // later: it had waited for the login, and said so
	}
	if slices.Contains(farewellPorts, x.port()) {
		// A question for a password has less (24 bytes).
		return true
	}
	// MySQL's greeting, and an error: a client ends its session by COM_QUIT, so that it speaks last.
	return x.port() == mysqlPort && x.sent >= mysqlLeast && leftBySelf(x) && x.speaker == model.SideLocal && x.idle < idleLeast
}

const mysqlPort = 3306

// checked: HAProxy's option mysql-check logs in and says goodbye in one segment.
func checked(client *end) bool { return client != nil && knobsOf(client.process).program == "haproxy" }

// tlsAlert: all that a server said is an alert in clear, 7 bytes (RFC 8446, 5.1 and 6): it takes
// none of the client's versions, ciphers or names.
func tlsAlert(x *end) bool {
	return x.passive() && tls(x) && x.sent == 7 && x.received > 0 && x.verdict == model.Graceful && x.duration >= 0 && x.duration < loginTime
}

// rejections are what OpenSSL's clients have sent if they take no certificate: a hello that is padded
// to 517 bytes (RFC 7685), and an alert, in clear (7 bytes) or not (24), alone or after
// ChangeCipherSpec (6).
var rejections = []int64{517 + 7, 517 + 24, 517 + 6 + 24}

// certificateRejected: the client's alert was its last word.
func certificateRejected(m *match) bool {
	x := m.end
	m.inferred, m.bytes = true, x.received
	if !tls(x) || !x.exchanged() || x.retransmits > 0 {
		return false
	}
	if !x.passive() { // its alert may not be acknowledged yet, and the server may close first
		return x.call == model.CallClose && x.speaker == model.SideLocal && x.received >= bodyLeast/2 && slices.Contains(rejections, x.sent+max(x.unacked, 0))
	}
	return m.other == nil && x.speaker == model.SidePeer && x.sent >= bodyLeast/2 && slices.Contains(rejections, x.received)
}

// recordHeader is how long the header of a TLS record is (RFC 8446, 5.1), which OpenSSL reads first.
const recordHeader = 5

// tlsMismatch: this end expected TLS, and what came is none.
func tlsMismatch(m *match) bool {
	x := m.end
	if m.inferred = true; x.cause != model.CauseUnreadData || x.unread <= 0 || x.received-x.unread != recordHeader || x.told != 0 || x.call == model.CallDestroy {
		return false
	}
	if x.passive() {
		return x.sent >= 0 && x.sent <= 7
	}
	return x.sent >= 200 && x.sent < 4<<10
}

// cancelledAtOnce: connect() was given up before a SYN was sent again. An ICMP error that comes
// while connect() has the socket leaves nothing in it but a count (tcp_v4_err, LOCKDROPPEDICMPS).
func cancelledAtOnce(m *match) bool {
	x := m.end
	m.inferred = true
	if x.duration >= patience(x.peer.Addr()) && x.segments == 0 {
		m.kind, m.blocked, m.detail = attempts, x.duration, x.cause.String()
		m.engine.tries.add(x)
	}
	return x.cause == model.CauseConnectCancelled && !x.passive() && x.retransmits == 0 && atOnce(x)
}

// patience is how long an attempt must have had for its answer, if no SYN was sent again: clients
// with two addresses leave IPv6 that has not answered for 200 to 300 ms as soon as IPv4 does (Happy
// Eyeballs).
func patience(peer netip.Addr) time.Duration {
	if peer.Unmap().Is6() {
		return time.Second
	}
	return 200 * time.Millisecond
}

// queryWaited: PgBouncer ended a session with an error, and the client read it at once.
func queryWaited(m *match) bool {
	x, o := m.end, m.other
	if !x.passive() || !leftBySelf(x) || x.later || x.told != 0 || x.sent < sessionLeast || !x.tookLeave() || knobsOf(x.process).program != "pgbouncer" {
		return false
	}
	m.inferred, m.blocked = true, x.gap()
	if m.engine.troubles.during(x, time.Second) != nil {
		return false // its connection to the server had just ended badly
	}
	return o == nil || o.closing().Sub(x.closing()) < idleLeast
}

// restartRace: a server that was told to end, or that closed all at one moment, was sent
// requests that it no longer took.
func restartRace(m *match) bool {
	x := m.end
	if !x.passive() || !x.exchanged() || x.initiator != model.InitiatorLocal || x.call == model.CallDestroy {
		return false
	}
	if x.cause != model.CauseDataAfterClose && (x.later || x.late < justNow || tls(x)) {
		return false
	}
	if !m.lostRequest() {
		return false
	}
	m.idle = max(x.idle, 0)
	m.detail, m.told = x.endedBy()
	return x.told != 0 || m.engine.bursts.has(x)
}

// leftHalfway: a client closed while the answer was still coming.
func leftHalfway(m *match) bool {
	x, o := m.end, m.other
	m.bytes, m.blocked = max(x.unread, 0), max(x.duration, 0)
	if leftSlowly(m) {
		m.bytes, m.inferred = x.unacked, true
		return true
	}
	if o != nil {
		m.bytes = max(m.bytes, o.unacked)
	}
	// HTTP/2 sends window updates while it reads.
	listens := x.speaker != model.SideLocal || x.unread >= small || x.unread > messageMost && x.lastSent.Sub(x.lastReceived) <= justNow
	// A client that had read all until then is sent more; how much is not known.
	more := o == nil && x.cause == model.CauseDataAfterClose && !tls(x) && x.received >= small && x.idle >= 0 && x.idle <= justNow
	m.inferred = m.bytes <= messageMost
	return !x.passive() && x.initiator == model.InitiatorLocal && x.received > 0 && listens &&
		(x.idle < idleLeast || throttled(x, o)) && x.call != model.CallDestroy && (m.bytes > messageMost || more) &&
		(x.cause == model.CauseUnreadData || x.cause == model.CauseDataAfterClose)
}

// leftBySelf: this end closed, and its process did not end.
func leftBySelf(x *end) bool {
	return x.initiator == model.InitiatorLocal && (x.call == model.CallClose || x.call == model.CallShutdown)
}

// leftBySelf is that of a capture, too, which has no calls.
func (m *match) leftBySelf() bool {
	return leftBySelf(m.end) || m.engine.captured && m.end.initiator == model.InitiatorLocal
}

// byProcess: its process closed this end, or ended. A capture does not show it.
func (m *match) byProcess() bool {
	call := m.end.call
	return call == model.CallClose || call == model.CallShutdown || call == model.CallExit || m.engine.captured
}

// closedBefore: this end had been closed before the other one was.
func (e *end) closedBefore(o *end) bool {
	return e.closeTime != 0 && e.closeTime < o.closing() && e.call == model.CallClose
}

// throttled: the client had read on, but more slowly than the server o sent, and was the first to
// close. How much it had not read says nothing: what lies in its buffer depends on the machine.
func throttled(x, o *end) bool {
	return o != nil && leftBySelf(x) && !o.closedBefore(x) && x.received-max(x.unread, 0) >= small && o.receiverLimited > 0
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
	return g.signal() == "" && uint64(len(g.pids)) >= min(g.count, maxPeers)
}
