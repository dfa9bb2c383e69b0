package model

// How raw facts, those of Linux above all, show what the table of observations lists.

// raw is facts of which the last state was worked out.
type raw struct {
	*Facts
	last State
}

func announced(f raw, o Observation) bool { return f.Evidence.Announced.Has(o) }

// neverOpen: the connection is known not to have reached ESTABLISHED. By TCP Fast Open a
// server has data, and accepts, in SYN_RECV (tcp_fastopen_create_child).
func neverOpen(f raw) bool {
	switch f.last {
	case SynSent, NewSynRecv:
		return true
	case SynRecv:
		return f.TCP.Role != Passive || f.TCP.Bytes.Received.Or(0) == 0
	default:
		return false
	}
}

// closing: the end happened inside the close of the last descriptor. Linux
// clears the socket's owner (SOCK_DEAD) only afterwards, in __tcp_close.
func closing(f raw) bool {
	e := &f.Evidence
	return e.Owned.Is(true) && e.Dead.Is(false) && e.Shutdown.Is(3) &&
		(e.Descriptor == HolderClosing || e.Descriptor == HolderKernel)
}

// inClose: Windows announces an abort, and the socket layer its reason or the call.
func inClose(f raw) bool {
	e := &f.Evidence
	return closing(f) || announced(f, ObservedAbort) && (e.AbortInClose.Is(true) || e.AbortReason == AbortUnread)
}

func unread(f raw) bool {
	return closes(f, CloseUnread) || f.Evidence.AbortReason == AbortUnread
}

// closes reports whether close() acts by mark, as [OnClose] has it.
func closes(f raw, mark CloseMarks) bool {
	e := &f.Evidence
	marks := f.Linger.CloseMarks() | CloseUnread.If(f.TCP.Bytes.Unread.Or(0) > 0) |
		CloseRepair.If(e.Repair) | CloseNoFINWait.If(e.Linger2.Or(0) < 0)
	return marks&mark != 0
}

const anyMark = ^CloseMarks(0)

func lingerZero(f raw) bool { return closes(f, CloseLingerZero) }

func noFINWait(f raw) bool { return closes(f, CloseNoFINWait) }

func repaired(f raw) bool { return closes(f, CloseRepair) && f.Evidence.Owned.Is(true) }

// inCall: the end happened in a system call on a socket that stays open.
func inCall(f raw) bool {
	e := &f.Evidence
	return e.Owned.Is(true) && e.Dead.Is(false) && e.Descriptor == HolderOpen
}

func inCallUnfinished(f raw) bool { return inCall(f) && !finished(f) }

// finished: both FINs were exchanged and ours was acknowledged; where the
// acknowledgement can't be seen, the states are believed.
func finished(f raw) bool {
	switch f.last {
	case LastAck, Closing:
		return f.Evidence.FINAcked.Or(true)
	case FinWait2:
		return f.TCP.FIN.Received.Is(true)
	default:
		return false
	}
}

func finFirst(f raw) bool {
	return f.last == FinWait2 || f.last == TimeWait || f.last == Closing && finished(f)
}

func finSecond(f raw) bool { return f.last == LastAck && finished(f) }

func finUnacked(f raw) bool {
	return f.TCP.Error == "" && (f.last == FinWait1 || f.last == LastAck || f.last == Closing)
}

// timedOut: the socket's error is one of a timeout. Linux reports the last
// ICMP or routing error instead of ETIMEDOUT where there was one
// (tcp_write_err, icmp_err_convert, fib_props): ECONNREFUSED is then ICMP port
// unreachable, EINVAL a blackhole route. With IP_RECVERR such an error only
// waits to be read: timers run inside close() only while it lingers, and none once both
// FINs were acknowledged; in FIN_WAIT2 those that run send a RST first. None sends one
// afterwards, as tcp_disconnect and inet_csk_listen_stop do. A platform that announces says
// itself what it gave up on.
func timedOut(f raw) bool {
	e := &f.Evidence
	if e.Announced != 0 || e.RSTSentAfter && inCall(f) || listenerStopped(f) || e.FINAcked.Is(true) && (finished(f) || f.last == FinWait2 && !e.RSTSentBefore) {
		return false
	}
	switch f.TCP.Error {
	case "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN", "ENONET",
		"ENOPROTOOPT", "EOPNOTSUPP", "ENOTSUP", "EACCES", "EMSGSIZE", "EPROTO", "EPERM",
		"ECONNREFUSED", "EINVAL", "EAGAIN", "ENODEV", "ENOBUFS":
		return !closing(f) || e.Wait.Began
	default:
		return false
	}
}

// gaveUp returns whether the stack gave up on the peer, and on what of it: Linux
// shows one error for all.
func gaveUp(on Observation) func(raw) bool {
	return func(f raw) bool { return f.TCP.Error != "" && timedOut(f) && gaveUpOn(f) == on }
}

func gaveUpOn(f raw) Observation {
	switch {
	case f.Evidence.RSTSentBefore:
		return ObservedKeepaliveTimeout
	case neverOpen(f) && f.TCP.Error != "ETIMEDOUT":
		return ObservedUnreachable
	case neverOpen(f):
		return ObservedConnectTimeout
	case f.Evidence.UserTimeout.Or(0) != 0 && (!windowProbed(f) || !beforeUserTimeout(f)):
		return ObservedUserTimeout
	case windowProbed(f):
		return ObservedZeroWindowTimeout
	default:
		return ObservedRetransmitTimeout
	}
}

// connectTimeout: Windows may announce the SYN that was never acknowledged like data.
func connectTimeout(f raw) bool {
	return neverOpen(f) && (announced(f, ObservedRetransmitTimeout) ||
		f.TCP.Error != "" && timedOut(f) && gaveUpOn(f) == ObservedConnectTimeout)
}

// windowProbed: the timer that ran out probed a closed window. Linux uses the
// same timer where this host could not send at all (tcp_check_probe_timer).
func windowProbed(f raw) bool {
	e := &f.Evidence
	return e.TimerRetransmits.Is(0) && !e.WindowOpen && (e.TimerProbes.Or(0) > 0 || orphanProbed(f))
}

// orphanProbed: an answer to a probe sets the count of probes to 0, and the time between
// them still grows. An orphan is given up by that time as well (tcp_probe_timer). With
// nothing under way, and something to send, no other timer runs.
func orphanProbed(f raw) bool {
	b := &f.TCP.Bytes
	return f.Evidence.Dead.Is(true) && b.Unsent.Or(0) > 0 && b.Unsent == b.Unacked
}

// beforeUserTimeout: less time than TCP_USER_TIMEOUT has passed since data was last sent. The
// window is probed only once that was acknowledged.
func beforeUserTimeout(f raw) bool {
	return f.Time != 0 && f.TCP.LastSent != 0 &&
		f.Time.Sub(f.TCP.LastSent) < f.Evidence.UserTimeout.Or(0)
}

// givesUpConnecting: the application ended its attempt to connect.
func givesUpConnecting(f raw) bool {
	return f.last == SynSent && (closing(f) || inCall(f))
}

// unreachable: the attempt ended by an ICMP error, or one came while the socket was
// locked, as it does inside connect() if this host makes it. Linux then ends nothing
// (sk_err_soft), but reports it to the application by getsockopt(SO_ERROR). EMSGSIZE is of
// path MTU discovery.
func unreachable(f raw) bool {
	return f.TCP.Error != "" && timedOut(f) && gaveUpOn(f) == ObservedUnreachable ||
		f.Evidence.SoftError != "" && f.Evidence.SoftError != "EMSGSIZE" && givesUpConnecting(f)
}

func refused(f raw) bool { return f.Evidence.RSTReceivedBefore && neverOpen(f) }

func rstReceived(f raw) bool { return f.Evidence.RSTReceivedBefore && !answeredData(f) }

// answeredData: what was processed like a received reset was data for a socket
// whose receiving side is closed; Linux answers it with RST
// (tcp_rcv_state_process).
func answeredData(f raw) bool {
	return f.Evidence.RSTReceivedBefore && (f.Evidence.RSTReplyAfter || f.Evidence.RSTFlag.Is(false))
}

// resetHere: this host made the reset that its connection received, though not
// by that connection's end: a peer on this host would be at lo itself.
func resetHere(f raw) bool { return f.Evidence.RSTReceivedBefore && f.Evidence.RSTHere }

// resetBetween: the other end is on this host, and did not send the reset.
func resetBetween(f raw) bool { return f.Evidence.RSTReceivedBefore && f.Evidence.PeerOpen }

// noDescriptor: nothing refers to the socket, or only a close() that lingers.
func noDescriptor(f raw) bool {
	return f.Evidence.Dead.Is(true) || f.Evidence.Descriptor == HolderClosing
}

// neverAccepted: inet_csk_listen_stop() ends connections nobody accepted.
func neverAccepted(f raw) bool {
	e := &f.Evidence
	if !e.Owned.Is(false) || !e.Dead.Is(false) || e.Descriptor != HolderNone || e.MPTCP {
		return false
	}
	return f.last == Established || f.last == CloseWait || f.last == SynRecv
}

// stackReset: MPTCP resets a subflow that nobody accepted before its listener ends it, too.
func stackReset(f raw) bool {
	return f.Evidence.RSTSentBefore && !timedOut(f) && !listenerStopped(f)
}

// listenerStopped: inet_csk_listen_stop() reset it.
func listenerStopped(f raw) bool { return f.Evidence.RSTSentAfter && neverAccepted(f) }

func mptcpReset(f raw) bool {
	return f.Evidence.MPTCP && (f.Evidence.RSTSentBefore || f.Evidence.RSTSentAfter)
}

func rstAfterEnd(f raw) bool { return f.Evidence.RSTReplyAfter || f.Evidence.RSTSentAfter }

func lateData(f raw) bool {
	return f.Evidence.RSTReplyAfter && (f.last == FinWait2 || f.last == Closing)
}

func destroyed(f raw) bool { return f.TCP.Error == "ECONNABORTED" }
