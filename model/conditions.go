package model

// Conditions that several rules share. They read facts only.

func last(f *Facts) State { return f.TCP.Path.Last() }

func notice(f *Facts, n Notice) bool { return f.Evidence.Notices.Has(n) }

// closing: the end happened inside the close of the last descriptor. Linux
// clears the socket's owner (SOCK_DEAD) only afterwards, in __tcp_close.
func closing(f *Facts) bool {
	e := &f.Evidence
	return e.Owned.Is(true) && e.Dead.Is(false) && e.Shutdown.Is(3) &&
		(e.Descriptor == HolderClosing || e.Descriptor == HolderKernel)
}

// inCall: the end happened in a system call on a socket that stays open.
func inCall(f *Facts) bool {
	e := &f.Evidence
	return e.Owned.Is(true) && e.Dead.Is(false) && e.Descriptor == HolderOpen
}

// finished: both FINs were exchanged and ours was acknowledged; where the
// acknowledgement can't be seen, the states are believed.
func finished(f *Facts) bool {
	switch last(f) {
	case LastAck, Closing:
		return f.Evidence.FINAcked.Or(true)
	case FinWait2:
		return f.TCP.FIN.Received.Is(true)
	default:
		return false
	}
}

// timedOut: the socket's error is one of a time-out. Linux reports the last
// ICMP or routing error instead of ETIMEDOUT where there was one
// (tcp_write_err, icmp_err_convert, fib_props): ECONNREFUSED is then ICMP port
// unreachable, EINVAL a blackhole route. With IP_RECVERR such an error only
// waits to be read: timers run inside close() only while it lingers.
func timedOut(f *Facts) bool {
	if closing(f) && !f.Evidence.Wait.Began {
		return false
	}
	switch f.TCP.Error {
	case "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN", "ENONET",
		"ENOPROTOOPT", "EOPNOTSUPP", "ENOTSUP", "EACCES", "EMSGSIZE", "EPROTO", "EPERM",
		"ECONNREFUSED", "EINVAL", "EAGAIN", "ENODEV", "ENOBUFS":
		return true
	default:
		return false
	}
}

// givesUpConnecting: the application ended its attempt to connect.
func givesUpConnecting(f *Facts) bool {
	return last(f) == SynSent && (closing(f) || inCall(f))
}

// toldAndGivenUp: an ICMP error came while the socket was locked, as it does inside
// connect() if this host makes it. Linux then ends nothing (sk_err_soft), but tells
// the application by getsockopt(SO_ERROR). EMSGSIZE is of path MTU discovery.
func toldAndGivenUp(f *Facts) bool {
	return givesUpConnecting(f) && f.Evidence.SoftError != "" && f.Evidence.SoftError != "EMSGSIZE"
}

func doubtCancelled(f *Facts) string {
	if f.Evidence.ICMPWatched.Is(true) {
		return ""
	}
	return "an ICMP error that the application read before it gave up would not have been seen"
}

// doubtResourceLimit: Linux gives up no connection for want of memory that a process
// still holds. Until 6.9 it tells that process of other errors before it ends the
// connection.
func doubtResourceLimit(f *Facts) string {
	if f.Evidence.Dead.Or(true) {
		return ""
	}
	return "the socket's error was read before the end was seen: keep-alive or an administrator may have ended it"
}

// windowProbed: the timer that ran out probed a closed window. Linux uses the
// same timer where this host could not send at all (tcp_check_probe_timer).
func windowProbed(f *Facts) bool {
	e := &f.Evidence
	return timedOut(f) && e.TimerProbes.Or(0) > 0 && e.TimerRetransmits.Is(0) && !e.WindowOpen
}

// answeredData: what was processed like a received reset was data for a socket
// whose receiving side is closed; Linux answers it with RST
// (tcp_rcv_state_process).
func answeredData(f *Facts) bool {
	return f.Evidence.RSTReceivedBefore && (f.Evidence.RSTReplyAfter || f.Evidence.RSTFlag.Is(false))
}

// resetHere: this host made the reset that its connection received, though not
// by that connection's end: a peer on this host would be at lo itself.
func resetHere(f *Facts) bool { return f.Evidence.RSTReceivedBefore && f.Evidence.RSTHere }

// resetBetween: the other end is on this host, and did not send the reset.
func resetBetween(f *Facts) bool {
	return f.Evidence.RSTReceivedBefore && f.Evidence.PeerOpen
}

func doubtResetBetween(*Facts) string {
	return "the other end is on this host and was still open: something between them sent the RST"
}

func doubtResetHere(*Facts) string {
	return "the peer seems not to have sent the RST: this host's firewall made it, or a program with a raw socket"
}

// descriptorGone: nothing refers to the socket, or only a close() that lingers.
func descriptorGone(f *Facts) bool {
	return f.Evidence.Dead.Is(true) || f.Evidence.Descriptor == HolderClosing
}

// listenerClosed: inet_csk_listen_stop() ends connections nobody accepted.
func listenerClosed(f *Facts) bool {
	e := &f.Evidence
	if !e.Owned.Is(false) || !e.Dead.Is(false) || e.Descriptor != HolderNone || e.MPTCP {
		return false
	}
	return last(f) == Established || last(f) == CloseWait || last(f) == SynRecv
}

// lingerExpired: the facts of a later outcome tell how the orphan ended, not
// how the wait did. On Windows an expired linger aborts inside closesocket,
// unless the peer's RST was there first.
func lingerExpired(f *Facts) bool {
	if f.Evidence.Later || lingerOutcome(f) != LingerExpired || notice(f, NoticeRSTReceived) {
		return false
	}
	return f.Evidence.Notices == 0 || notice(f, NoticeAbort) && f.Evidence.AbortInClose.Is(true)
}

func doubtLinger(f *Facts) string {
	w := &f.Evidence.Wait
	if w.Returned.Known() || w.Waiting.Or(0) >= lingerLimit(f)-tick {
		return ""
	}
	return "the return of close() was not seen: a signal may have ended the wait"
}

func doubtDestroyed(f *Facts) string {
	if notice(f, NoticeDestroyed) {
		return "that the platform's event means this is not documented"
	}
	return ""
}

func doubtPeerFIN(f *Facts) string {
	if last(f) == Closing && f.Evidence.Notices != 0 {
		return "TIME_WAIT did not follow: our FIN may not have been acknowledged" // Windows tells of it
	}
	if f.TCP.FIN.Received.Is(true) {
		return ""
	}
	return "the peer's FIN was not seen: TIME_WAIT took over"
}

func doubtFINAcked(f *Facts) string {
	if f.Evidence.FINAcked.Known() || f.Evidence.Notices != 0 {
		return ""
	}
	return "the acknowledgement of our FIN was not seen"
}
