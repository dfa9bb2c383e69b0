package findings

import (
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// blackHole: large segments are lost, small ones arrive. If the peer was not heard since, it may
// have gone. What is sent again on a dead path may be as much as that, but not in full segments:
// the kernel joins small ones as far as whole ones fit. A SYN or a last segment may be among them.
func blackHole(m *match) bool {
	x := m.end
	if !x.fullSize.Is(false) || x.retransmits < 2 || x.mss <= 0 || x.unacked < x.mss || x.resent/x.mss < x.retransmits-1 {
		return false
	}
	m.bytes = x.unacked
	m.inferred = x.lastSent == 0 || x.lastReceived.Sub(x.lastSent) < justNow // the first retransmission
	return x.received > 0 || x.sent > 0 || x.established
}

// slowReader: the peer had no room for the data, until one end gave up.
func slowReader(m *match) bool {
	x := m.end
	m.bytes, m.blocked = x.unacked, max(x.receiverLimited, 0)
	if x.cause == model.CauseZeroWindowTimeout {
		return true
	}
	if x.verdict == model.Graceful || x.unacked <= 0 || x.busy < time.Second {
		return false
	}
	if o := m.other; o != nil && o.unread > 0 {
		if throttled(o, x) {
			return false
		}
		if o.idle >= x.busy*8/10 && o.unread*2 > o.received {
			return true // it read hardly anything
		}
	}
	return x.heldUp() && !leftSlowly(m)
}

// heldUp: the peer had no room for four fifths of the time in which data waited.
func (e *end) heldUp() bool { return e.receiverLimited >= e.busy*8/10 }

// leftSlowly: a client elsewhere that the server still sent to, as fast as it read, reset the
// connection. To one that reads nothing the last data was sent long before.
func leftSlowly(m *match) bool {
	x := m.end
	return m.other == nil && x.passive() && x.cause == model.CausePeerReset && x.rule != "reset-here" && !x.stray && !x.between &&
		x.sent >= small && x.unacked > 0 && x.busy >= time.Second && x.heldUp() &&
		(x.lastSent == 0 || x.time.Sub(x.lastSent) < x.busy*8/10)
}

// pathDeath are the causes of connections that were open, to a peer that no longer answers.
var pathDeath = only(model.CauseRetransmitTimeout, model.CauseUserTimeout, model.CauseKeepaliveTimeout)

// pathDead: the peer no longer answered.
func pathDead(m *match) bool {
	x := m.end
	m.bytes, m.detail = x.unacked, x.cause.String()
	m.blocked = max(x.duration, 0)
	if x.lastReceived != 0 {
		m.blocked = sinceHeard(x)
	}
	switch x.cause {
	case model.CauseRetransmitTimeout, model.CauseUserTimeout, model.CauseKeepaliveTimeout:
		return true
	case model.CauseConnectTimeout:
		m.kind = attempts
		m.engine.tries.add(x)
		return true
	case model.CauseConnectCancelled:
		if m.kind = attempts; noSYNACK(x) {
			m.engine.tries.add(x)
			return true
		}
		return false
	case model.CauseUnreachable:
		return !atOnce(x)
	default:
		return false
	}
}

func noLocalPort(m *match) bool { return m.end.cause.String() == "no-local-port" }

// rejected: a firewall answered instead of the peer, or a router without a way there. Only
// firewalls say port unreachable (ECONNREFUSED) and, by IPv6, prohibited (EACCES).
func rejected(m *match) bool {
	x := m.end
	m.detail = x.tcpError
	m.inferred = x.tcpError != "ECONNREFUSED" && x.tcpError != "EACCES"
	switch {
	case x.rule == "refused-here" || x.rule == "reset-here":
		m.detail = "RST"
		return true
	case x.cause == model.CauseUnreachable:
		return atOnce(x)
	}
	return false
}

// atOnce: the ICMP error answered the SYN, or the second one, because the first
// error came inside connect(). No answer to ARP takes three seconds, and is always
// EHOSTUNREACH; other errors may be late because routers limit their rate.
func atOnce(x *end) bool {
	return x.tcpError != "" && x.tcpError != "EHOSTUNREACH" || x.duration >= 0 && x.duration < 2500*time.Millisecond
}

func refused(m *match) bool {
	m.peer = m.end.peer
	return m.end.cause == model.CauseRefused
}

// idleClosed: closed by either side after an idle time. It is only counted here: whether
// the time is always the same shows later.
func idleClosed(m *match) bool {
	x := m.end
	m.idle = x.idle
	if saysFarewell(x) && x.tookLeave() {
		m.idle, m.gap = x.gap(), true
	}
	if x.later || x.told != 0 || m.idle < time.Second || x.call == model.CallExit && !x.byItself() || x.initiator != model.InitiatorLocal || x.unread > 0 || x.passive() && m.passedOn() != nil {
		return false
	}
	switch x.cause {
	case model.CauseFIN, model.CauseFinWait2Timeout, model.CauseDataAfterClose:
		return true
	default:
		return false
	}
}

// farewellPorts are those of protocols whose servers say why they close, and whose clients end
// each session: PostgreSQL's.
var farewellPorts = []uint16{5432, 6432}

// mailPorts are those of FTP and mail, whose servers say "421 timeout".
var mailPorts = []uint16{21, 25, 110, 143, 587}

// saysFarewell: a server of this protocol sends a farewell when it closes, so that the
// connection is not idle then.
func saysFarewell(x *end) bool {
	return x.passive() && (tls(x) || slices.Contains(farewellPorts, x.port()) || slices.Contains(mailPorts, x.port()))
}

// idlePeerClosed is the same for a server on another host. Clients may close when they like.
func idlePeerClosed(m *match) bool {
	x := m.end
	if x.passive() || m.other != nil || x.later || x.idle < time.Second || x.initiator != model.InitiatorPeer || x.verdict != model.Graceful {
		return false
	}
	m.idle = x.idle
	return mayNeedNone(x.port()) || !x.asked() || x.publishes() // else see lastUnanswered
}

// idleReset: this side reset an idle connection, as MariaDB and RabbitMQ do. A client
// that trims its pool this way (HAProxy) does no harm: it is the one that sends the next
// request.
func idleReset(m *match) bool {
	x := m.end
	m.idle, m.bytes = x.idle, x.received
	if x.broker() && x.speaker == model.SideLocal && x.lastReceived != 0 && sinceHeard(x) >= time.Second {
		m.idle, m.echo = max(m.idle, sinceHeard(x)), true // its own heartbeats are no sign of the client
	}
	if x.cause != model.CauseLingerZero && x.cause != model.CauseLocalAbort || !x.passive() || m.idle < time.Second || x.sent <= 0 || x.call == model.CallExit {
		return false
	}
	return !x.served() && m.passedOn() == nil
}

// served: the peer had finished, and waits for nothing.
func (e *end) served() bool {
	return e.initiator == model.InitiatorPeer && e.finIn && !e.unanswered()
}

// passedOn returns the connection of a proxy to its server that had ended badly a moment before the
// proxy reset this one of its client, as Envoy does then.
func (m *match) passedOn() *refusal { return m.engine.troubles.carried(m.end) }

// aborted: this side ended the connection by SO_LINGER {1,0}, and it is no idleReset. Its only reason
// may be that a proxy passes a reset on.
func aborted(m *match) bool {
	x := m.end
	m.bytes = max(x.unacked, 0)
	if o := m.other; o != nil {
		m.bytes = max(m.bytes, o.unread)
	}
	if x.cause != model.CauseLingerZero || !x.passive() || x.call == model.CallDestroy {
		return false
	}
	if x.served() && m.bytes == 0 && x.unread <= 0 {
		return false
	}
	if f := m.passedOn(); f != nil {
		m.kind, m.peer, m.also, m.inferred = byUpstream, f.peer, f.id, true
	}
	return true
}

// abortedByClient is the same for the side that connected.
func abortedByClient(m *match) bool {
	x := m.end
	m.idle, m.bytes = x.idle, max(x.unacked, 0)
	return x.cause == model.CauseLingerZero && !x.passive() && x.exchanged()
}

// longSilence is an idle time after which a box may have forgotten the connection.
const longSilence = 30 * time.Second

// forgotten is the detail of resets of which only the idle time is known: a peer's host that was
// restarted, or that has the peer's address now, answers so too.
const forgotten = "forgotten"

// middlebox: reset, and the other end did not do it.
func middlebox(m *match) bool {
	x, o := m.end, m.other
	if x.cause != model.CausePeerReset || x.rule == "reset-here" {
		return false
	}
	gap := x.gap()
	m.bytes = x.unacked
	if x.unacked > 0 && (!x.passive() || gap >= longSilence) {
		m.idle = max(gap, 0) // else it answered, slowly
	}
	if x.stray || x.between {
		m.inferred = !x.between && !x.strayWhy
		return true
	}
	if o != nil {
		return o.rstKnown && !o.rstOut && o.call != model.CallDestroy && (o.cause == model.CausePeerReset || o.time > x.time.Add(hold))
	}
	m.inferred, m.detail = true, forgotten
	return !x.finIn && x.exchanged() && x.speaker == model.SideLocal && gap >= longSilence && x.unacked > 0
}

// resetAfterConnect: connected to this host, and reset before any data came. The server has no
// record of it if its accept queue was full.
func resetAfterConnect(m *match) bool {
	x := m.end
	m.peer = x.peer
	return m.other == nil && !x.amended && x.atFirst() && m.engine.addresses.has(x.peer.Addr())
}

// atFirst: this end was reset before the peer had said anything.
func (x *end) atFirst() bool {
	return x.cause == model.CausePeerReset && !x.passive() && x.received <= 0 && !x.finIn && x.duration >= 0 && x.duration < time.Minute
}

// leaked: the peer had closed long before this side did.
func leaked(m *match) bool {
	x := m.end
	if !x.closeWait || x.firstFIN == 0 || x.initiator != model.InitiatorPeer || x.verdict == model.FailedOpen {
		return false
	}
	closed := x.closeTime
	if closed == 0 {
		closed = x.time
	}
	m.blocked = closed.Sub(x.firstFIN)
	if x.lastSent == 0 { // whether it still answered is not known
		return m.blocked >= leakAlone
	}
	return m.blocked >= leakLeast && x.lastSent < x.firstFIN && !x.wentOn // else its peer was still reading
}

// exited: its process ended, and the peer was not waiting.
func exited(m *match) bool {
	x := m.end
	if x.later || x.call != model.CallExit && (x.told == 0 || x.initiator != model.InitiatorLocal) || !x.passive() || !x.established {
		return false
	}
	if x.byItself() && x.initiator == model.InitiatorPeer {
		return false // the client's farewell ended it
	}
	m.detail, m.told = x.endedBy()
	if m.idle = max(x.idle, 0); x.speaker != model.SideLocal {
		m.idle = 0
	}
	return true
}

// byItself: its process ended without a signal, as one that serves one connection does.
func (x *end) byItself() bool { return x.call == model.CallExit && x.signal == 0 && x.told == 0 }

// address is a peer as a finding names it.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.WithZone("").String()
}
