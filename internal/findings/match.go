package findings

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/closetrace/closetrace/model"
)

// The conditions of the patterns. Each looks at m.end, and at m.other if that is
// known. They read facts only; one that is missing never makes a condition hold.

const (
	// idleLeast is the least time without data that is called idle.
	idleLeast = 500 * time.Millisecond
	// small is less than an upload and more than a request usually has.
	small = 64 << 10
	// bodyLeast is the least unread data that is taken for an upload.
	bodyLeast = 1024
)

// alertSizes are TLS's close_notify with each of its ciphers, alone and after
// HTTP/2's GOAWAY, and two of it (RFC 8446, sections 5 and 6; RFC 5246, 6.2.3).
var alertSizes = []int64{22, 23, 24, 26, 31, 37, 53, 55, 61, 63, 69, 85}

func farewell(n int64) bool { return slices.Contains(alertSizes, n) }

// tlsPorts are where only TLS is spoken.
var tlsPorts = []uint16{443, 465, 563, 636, 853, 989, 990, 993, 995, 2376, 5061, 5671, 6443, 6697, 8443, 8883, 9443}

func tls(x *end) bool { return slices.Contains(tlsPorts, x.port()) }

// tiny: connected, hardly a word, reset. Whether it is a health check shows when
// it comes again and again.
func tiny(m *match) bool {
	x := m.end
	if x.unread > 0 || x.unacked > 0 || x.sent < 0 || x.received < 0 || x.sent+x.received > 1024 {
		return false
	}
	short := x.duration >= 0 && x.duration < time.Second
	switch {
	case x.cause == model.CausePeerReset && x.passive(), x.cause == model.CauseLingerZero && !x.passive():
		return short && (m.other == nil || m.other.cause == model.CauseLingerZero || m.other.cause == model.CausePeerReset && m.other.passive() && x.cause == model.CauseLingerZero)
	}
	return false
}

// closeNotify: all that was thrown away is a farewell, after both had spoken.
func closeNotify(m *match) bool {
	x, o := m.end, m.other
	if !x.exchanged() {
		return false
	}
	switch x.cause {
	case model.CauseUnreadData:
		// The peer had finished, and what was left is too little to be more than that.
		if x.call == model.CallExit && x.signal != 0 || !x.finIn && x.initiator != model.InitiatorPeer {
			return false
		}
		if !farewell(x.unread) {
			return false
		}
		m.bytes = x.unread
		return true
	case model.CauseDataAfterClose:
		if o == nil || !farewell(o.unacked) || x.passive() && !o.closed() {
			return false
		}
		m.bytes = o.unacked
		return true
	case model.CausePeerReset:
		// The peer had sent its FIN; what it did not take any more is a farewell.
		if !x.passive() || !x.finIn || !farewell(x.unacked) || o != nil && o.cause == model.CauseUnreadData {
			return false
		}
		m.bytes, m.inferred = x.unacked, o == nil
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
	m.bytes = m.end.unread
	return m.end.cause == model.CauseListenerClosed
}

// inherited: not the owner but another process had the last descriptor, and the
// peer was still waiting.
func inherited(m *match) bool {
	x := m.end
	if x.pid == 0 || x.closerPID == 0 || x.pid == x.closerPID && !x.inherited || x.call == model.CallDestroy || x.cause == model.CauseListenerClosed {
		return false
	}
	m.bytes, m.detail = x.unread, x.closer
	m.idle = max(0, x.duration)
	return x.unread > 0 && (x.call == model.CallExit || x.process == x.closer)
}

// killed: the process ended with the peer waiting for its answer.
func killed(m *match) bool {
	x := m.end
	if x.call != model.CallExit || !x.passive() || x.received <= 0 || x.initiator == model.InitiatorPeer && x.unread <= 0 {
		return false
	}
	if x.unread <= 0 && !x.unanswered() {
		return false
	}
	m.bytes, m.detail = x.unread, signalName(x.signal)
	m.blocked = sinceHeard(x)
	return true
}

// sinceHeard is how long the peer's last words waited when this end ended.
func sinceHeard(x *end) time.Duration {
	if x.lastReceived == 0 {
		return 0
	}
	return max(0, x.time.Sub(x.lastReceived))
}

// upstreamRefused: a proxy accepted the client, and its own attempt to connect had
// just failed.
func upstreamRefused(m *match) bool {
	x := m.end
	if x.sent > 0 || !x.passive() || x.verdict == model.FailedOpen || x.initiator == model.InitiatorPeer || x.call == model.CallExit {
		return false
	}
	f := m.engine.refusals.during(x)
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
	if o != nil || x.cause != model.CausePeerReset || x.received <= 0 || x.unacked < small || !x.finIn && x.unread <= 0 {
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
	if x.spoke() { // it has answered before: was this another request?
		gap := x.gap()
		if gap >= 0 && gap < idleLeast || x.speaker == model.SideLocal {
			return false
		}
		m.inferred = gap < 0
		m.idle = max(gap, 0)
	}
	m.bytes = x.unread
	m.blocked = sinceHeard(x)
	return true
}

// keepaliveRace: an idle connection was closed, and the other side's next request met
// the closed socket.
func keepaliveRace(m *match) bool {
	x, o := m.end, m.other
	if !x.exchanged() {
		return false
	}
	switch {
	case x.cause == model.CauseDataAfterClose && x.passive() && x.call != model.CallExit:
		if o == nil && tls(x) || o != nil && (o.closed() && farewell(o.unacked) || o.unacked >= small) {
			return false // as likely a close_notify
		}
		m.idle = max(x.idle, 0)
		if x.idle < 0 { // an old recording
			m.inferred = true
			return x.duration >= time.Second && (x.rule == "late-data-in-time-wait" || o != nil && o.closeWait)
		}
		return x.idle >= idleLeast
	case o == nil && x.cause == model.CausePeerReset && !x.passive() && x.finIn && !x.closed():
		// The other side's story is not known: it had closed, then we sent.
		gap := x.gap()
		m.inferred, m.idle = true, max(gap, 0)
		return x.unacked > 0 && x.unacked < small && gap >= idleLeast
	}
	return false
}

// halfClose: the peer shut down its sending side after its request and waited; it
// was closed without an answer.
func halfClose(m *match) bool {
	x, o := m.end, m.other
	if o == nil || !x.passive() || x.initiator != model.InitiatorPeer || x.received <= 0 || x.sent != 0 ||
		x.call == model.CallExit || x.verdict == model.FailedOpen || x.cause == model.CauseListenerClosed {
		return false
	}
	m.bytes = x.received
	return o.call == model.CallShutdown && o.received == 0
}

func slowClose(m *match) bool {
	x := m.end
	m.blocked, m.bytes = x.blocked, x.unacked
	return x.verdict == model.LingerTimeout || x.blocked >= 200*time.Millisecond
}

// blackHole: large segments are lost, small ones arrive.
func blackHole(m *match) bool {
	x := m.end
	if !x.fullSize.Is(false) || x.retransmits < 2 || x.mss <= 0 || x.unacked < x.mss {
		return false
	}
	m.bytes = x.unacked
	return x.received > 0 || x.sent > 0 || x.established
}

// slowReader: the peer had no room for what was to be sent, until someone gave up.
func slowReader(m *match) bool {
	x := m.end
	m.bytes, m.blocked = x.unacked, max(x.receiverLimited, 0)
	if x.cause == model.CauseZeroWindowTimeout {
		return true
	}
	return x.verdict != model.Graceful && x.unacked > 0 && x.busy >= time.Second && x.receiverLimited >= x.busy*8/10
}

// pathDead: nothing came back from the peer any more.
func pathDead(m *match) bool {
	x := m.end
	m.bytes, m.detail = x.unacked, x.cause.String()
	m.blocked = max(x.duration, 0)
	if x.lastReceived != 0 {
		m.blocked = sinceHeard(x)
	}
	switch x.cause {
	case model.CauseRetransmitTimeout, model.CauseUserTimeout, model.CauseKeepaliveTimeout, model.CauseConnectTimeout:
		return true
	case model.CauseUnreachable:
		return !atOnce(x)
	default:
		return false
	}
}

func noLocalPort(m *match) bool { return m.end.cause.String() == "no-local-port" }

// rejected: a firewall answered instead of the peer.
func rejected(m *match) bool {
	x := m.end
	m.detail = x.tcpError
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
// error came inside connect(). No answer to ARP takes three seconds, and is never
// port unreachable.
func atOnce(x *end) bool {
	return x.tcpError == "ECONNREFUSED" || x.duration >= 0 && x.duration < 2500*time.Millisecond
}

func refused(m *match) bool {
	m.peer = m.end.peer
	return m.end.cause == model.CauseRefused
}

// idleClosed: closed by this side, or by the peer, when nobody had spoken for a
// while. It is only counted: whether the time is always the same shows later.
func idleClosed(m *match) bool {
	x := m.end
	if x.later || x.idle < time.Second || x.call == model.CallExit || x.initiator != model.InitiatorLocal || x.unread > 0 {
		return false
	}
	switch x.cause {
	case model.CauseFIN, model.CauseFinWait2Timeout, model.CauseDataAfterClose:
		m.idle = x.idle
		return true
	default:
		return false
	}
}

// idlePeerClosed is the same of a peer that is elsewhere.
func idlePeerClosed(m *match) bool {
	x := m.end
	if m.other != nil || x.later || x.idle < time.Second || x.initiator != model.InitiatorPeer || x.verdict != model.Graceful {
		return false
	}
	m.idle = x.idle
	return true
}

// idleReset: an idle connection was ended hard by this side, as MariaDB and RabbitMQ do.
func idleReset(m *match) bool {
	x := m.end
	m.idle = x.idle
	return x.cause == model.CauseLingerZero && x.idle >= time.Second && x.exchanged() && x.call != model.CallExit
}

// middlebox: reset, and the other end did not do it.
func middlebox(m *match) bool {
	x, o := m.end, m.other
	if x.cause != model.CausePeerReset || x.rule == "reset-here" {
		return false
	}
	gap := x.gap()
	m.bytes, m.idle = x.unacked, max(gap, 0)
	if x.stray {
		return true
	}
	if o != nil {
		return o.rstKnown && !o.rstOut && o.call != model.CallDestroy && (o.cause == model.CausePeerReset || o.time > x.time.Add(hold))
	}
	m.inferred = true
	return !x.finIn && x.exchanged() && x.speaker == model.SideLocal && gap >= 30*time.Second && x.unacked > 0
}

// resetAfterConnect: connected, and reset before a word came. The server has no end to
// show for it if its accept queue was full.
func resetAfterConnect(m *match) bool {
	x := m.end
	m.peer = x.peer
	if m.other != nil || x.passive() || x.received > 0 || x.finIn {
		return false
	}
	return x.cause == model.CausePeerReset && x.duration >= 0 && x.duration < time.Minute
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
	return m.blocked >= time.Minute
}

// exited: its process ended, and nobody was waiting.
func exited(m *match) bool {
	x := m.end
	if x.call != model.CallExit || !x.passive() || !x.established {
		return false
	}
	m.detail = signalName(x.signal)
	return true
}

// signals are the names of those that end processes.
var signals = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 31: "SIGSYS",
}

// signalName returns a signal's name, "" for none.
func signalName(n int) string {
	switch {
	case n == 0:
		return ""
	case n > 0 && n < len(signals) && signals[n] != "":
		return signals[n]
	}
	return "signal " + strconv.Itoa(n)
}

// address is a peer as a finding names it.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.WithZone("").String()
}
