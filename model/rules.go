package model

// Rule is one line of the classifier's table.
type Rule struct {
	// Name is written into every record that the rule decided.
	Name string
	// When is the condition in words.
	When       string
	Verdict    Verdict
	Cause      Cause
	Terminator Terminator
	// First is who sent the first RST; it decides the initiator where the
	// states show no FIN. Where the rule does not know it, a RST that is known
	// to have left was the first.
	First Initiator

	holds func(*Facts) bool
	// doubt says what was not seen, or nothing if the verdict is certain.
	doubt func(*Facts) string
}

// Rules returns the table in the order in which it is tried.
func Rules() []Rule { return append([]Rule(nil), rules...) }

// rules is the classifier. The first line that holds decides. A verdict of
// abortive becomes failed-open where the connection never opened.
var rules = []Rule{
	{
		Name: "late-data-in-time-wait", When: "later: our TIME_WAIT answered data with RST",
		Verdict: Abortive, Cause: CauseDataAfterClose, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool { return f.Evidence.RSTReplyTimeWait },
	},
	{
		Name: "linger-expired", When: "close() waited the whole SO_LINGER time",
		Verdict: LingerTimeout, Cause: CauseLingerExpired, Terminator: LocalApp, First: InitiatorLocal,
		holds: lingerExpired, doubt: doubtLinger,
	},
	{
		Name: "tcp-repair", When: "closed in TCP_REPAIR mode",
		Verdict: Silent, Cause: CauseTCPRepair, Terminator: LocalApp, First: InitiatorNone,
		holds: func(f *Facts) bool { return f.Evidence.Repair && f.Evidence.Owned.Is(true) },
	},
	{
		Name: "refused-here", When: "RST received while connecting, and this host made it",
		Verdict: FailedOpen, Cause: CauseRefused, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool { return resetHere(f) && neverOpen(f) }, doubt: doubtResetHere,
	},
	{
		Name: "refused", When: "RST received while connecting",
		Verdict: FailedOpen, Cause: CauseRefused, Terminator: Peer, First: InitiatorPeer,
		holds: func(f *Facts) bool { return f.Evidence.RSTReceivedBefore && neverOpen(f) || notice(f, NoticeRefused) },
	},
	{
		Name: "data-after-close", When: "reset processed on a closed socket, and it was our answer to a segment without RST",
		Verdict: Abortive, Cause: CauseDataAfterClose, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool { return answeredData(f) && descriptorGone(f) },
	},
	{
		Name: "data-after-shutdown", When: "the same, and a descriptor is still open",
		Verdict: Abortive, Cause: CauseDataAfterShutdown, Terminator: LocalKernel, First: InitiatorLocal,
		holds: answeredData,
	},
	{
		Name: "reset-here", When: "RST received, and this host made it",
		Verdict: Abortive, Cause: CausePeerReset, Terminator: LocalKernel, First: InitiatorLocal,
		holds: resetHere, doubt: doubtResetHere,
	},
	{
		Name: "reset-between", When: "RST received, and the other end, on this host, was still open",
		Verdict: Abortive, Cause: CausePeerReset, Terminator: NetworkPath, First: InitiatorNone,
		holds: resetBetween, doubt: doubtResetBetween,
	},
	{
		Name: "peer-reset", When: "RST received",
		Verdict: Abortive, Cause: CausePeerReset, Terminator: Peer, First: InitiatorPeer,
		holds: func(f *Facts) bool { return f.Evidence.RSTReceivedBefore || notice(f, NoticeRSTReceived) },
	},
	{
		Name: "destroyed", When: "the socket's error is ECONNABORTED, or the platform says so",
		Verdict: Abortive, Cause: CauseDestroyed, Terminator: Admin, First: InitiatorLocal,
		holds: func(f *Facts) bool { return f.TCP.Error == "ECONNABORTED" || notice(f, NoticeDestroyed) },
		doubt: doubtDestroyed,
	},
	{
		Name: "keepalive-timeout", When: "time-out error, and RST was sent while open",
		Verdict: Abortive, Cause: CauseKeepaliveTimeout, Terminator: LocalKernel, First: InitiatorNone,
		holds: func(f *Facts) bool {
			return timedOut(f) && f.Evidence.RSTSentBefore || notice(f, NoticeKeepaliveTimeout)
		},
	},
	{
		Name: "no-local-port", When: "no SYN was sent: no local port was free",
		Verdict: FailedOpen, Cause: CauseNoLocalPort, Terminator: LocalKernel, First: InitiatorNone,
		holds: func(f *Facts) bool { return f.Evidence.NoPort },
	},
	{
		Name: "unreachable", When: "ICMP error while connecting, whoever gave up then",
		Verdict: FailedOpen, Cause: CauseUnreachable, Terminator: NetworkPath, First: InitiatorNone,
		holds: func(f *Facts) bool {
			return timedOut(f) && neverOpen(f) && f.TCP.Error != "ETIMEDOUT" || toldAndGivenUp(f) || notice(f, NoticeUnreachable)
		},
	},
	{
		Name: "connect-timeout", When: "time-out error while connecting",
		Verdict: FailedOpen, Cause: CauseConnectTimeout, Terminator: LocalKernel, First: InitiatorNone,
		holds: func(f *Facts) bool { return timedOut(f) && neverOpen(f) || notice(f, NoticeConnectTimeout) },
	},
	{
		Name: "user-timeout", When: "time-out error, TCP_USER_TIMEOUT set",
		Verdict: Abortive, Cause: CauseUserTimeout, Terminator: LocalKernel, First: InitiatorNone,
		holds: func(f *Facts) bool { return timedOut(f) && f.Evidence.UserTimeout.Or(0) != 0 },
	},
	{
		Name: "zero-window-timeout", When: "time-out error, probes unanswered, nothing retransmitted, and the peer's window had no room",
		Verdict: Abortive, Cause: CauseZeroWindowTimeout, Terminator: LocalKernel, First: InitiatorNone,
		holds: func(f *Facts) bool {
			return windowProbed(f) || notice(f, NoticeZeroWindowTimeout)
		},
	},
	{
		Name: "retransmit-timeout", When: "time-out error",
		Verdict: Abortive, Cause: CauseRetransmitTimeout, Terminator: LocalKernel, First: InitiatorNone,
		holds: func(f *Facts) bool { return timedOut(f) || notice(f, NoticeRetransmitTimeout) },
	},
	{
		Name: "mptcp-reset", When: "an MPTCP subflow, and RST was sent",
		Verdict: Abortive, Cause: CauseMPTCPReset, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool {
			return f.Evidence.MPTCP && (f.Evidence.RSTSentBefore || f.Evidence.RSTSentAfter)
		},
	},
	{
		Name: "finwait2-timeout-reset", When: "RST sent in FIN_WAIT2",
		Verdict: Abortive, Cause: CauseFinWait2Timeout, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool { return f.Evidence.RSTSentBefore && last(f) == FinWait2 },
	},
	{
		Name: "resource-limit", When: "RST sent while open, no error",
		Verdict: Abortive, Cause: CauseOrphanOrMemoryLimit, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool { return f.Evidence.RSTSentBefore },
		doubt: doubtResourceLimit,
	},
	{
		Name: "connect-cancelled", When: "closed, shut down or disconnected while connecting",
		Verdict: FailedOpen, Cause: CauseConnectCancelled, Terminator: LocalApp, First: InitiatorNone,
		holds: givesUpConnecting, doubt: doubtCancelled,
	},
	{
		Name: "close-with-unread-data", When: "inside close(), received data unread",
		Verdict: Abortive, Cause: CauseUnreadData, Terminator: LocalApp, First: InitiatorLocal,
		holds: func(f *Facts) bool {
			return closing(f) && f.TCP.Bytes.Unread.Or(0) > 0 ||
				notice(f, NoticeAbort) && f.Evidence.AbortReason == AbortUnread
		},
	},
	{
		Name: "close-with-linger-zero", When: "inside close(), SO_LINGER {1,0}",
		Verdict: Abortive, Cause: CauseLingerZero, Terminator: LocalApp, First: InitiatorLocal,
		holds: func(f *Facts) bool {
			return (closing(f) || notice(f, NoticeAbort) && f.Evidence.AbortInClose.Is(true)) &&
				f.Linger.On.Is(true) && f.Linger.Seconds.Is(0)
		},
	},
	{
		Name: "disconnect", When: "in a system call, descriptor open, FINs not exchanged",
		Verdict: Abortive, Cause: CauseDisconnect, Terminator: LocalApp, First: InitiatorLocal,
		holds: func(f *Facts) bool { return inCall(f) && !finished(f) },
	},
	{
		Name: "listener-closed", When: "open, never accepted, not an orphan",
		Verdict: Abortive, Cause: CauseListenerClosed, Terminator: LocalApp, First: InitiatorLocal,
		holds: listenerClosed,
	},
	{
		Name: "linger2", When: "RST after the end, TCP_LINGER2 < 0",
		Verdict: Abortive, Cause: CauseLinger2Timeout, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool {
			return (f.Evidence.RSTReplyAfter || f.Evidence.RSTSentAfter) && last(f) == FinWait2 && f.Evidence.Linger2.Or(0) < 0
		},
	},
	{
		Name: "data-with-last-ack", When: "after our FIN was acknowledged, data was answered with RST",
		Verdict: Abortive, Cause: CauseDataAfterClose, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool {
			return f.Evidence.RSTReplyAfter && (last(f) == FinWait2 || last(f) == Closing)
		},
	},
	{
		Name: "resource-limit-at-close", When: "an orphan, RST sent just after the end",
		Verdict: Abortive, Cause: CauseOrphanOrMemoryLimit, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool { return f.Evidence.RSTSentAfter && f.Evidence.Dead.Is(true) },
	},
	{
		Name: "system-abort", When: "the platform aborted it",
		Verdict: Abortive, Cause: CauseSystemAbort, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool { return notice(f, NoticeSystemAbort) },
	},
	{
		Name: "peer-restart", When: "SYN received on an open connection",
		Verdict: Abortive, Cause: CausePeerRestart, Terminator: LocalKernel,
		holds: func(f *Facts) bool { return notice(f, NoticePeerRestart) },
	},
	{
		Name: "disconnect-timer", When: "the platform's disconnect timer ran out",
		Verdict: LingerTimeout, Cause: CauseLingerExpired, Terminator: LocalApp, First: InitiatorLocal,
		holds: func(f *Facts) bool { return notice(f, NoticeDisconnectTimeout) },
		doubt: func(*Facts) string { return "what starts the disconnect timer is not documented" },
	},
	{
		Name: "finwait2-timeout", When: "the platform says that the peer's FIN never came",
		Verdict: Graceful, Cause: CauseFinWait2Timeout, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool { return notice(f, NoticeFinWait2Timeout) },
	},
	{
		Name: "local-abort", When: "an abort was asked for, reason not known",
		Verdict: Abortive, Cause: CauseLocalAbort, Terminator: LocalApp, First: InitiatorLocal,
		holds: func(f *Facts) bool { return notice(f, NoticeAbort) },
		doubt: func(*Facts) string { return "SO_LINGER and the reason of the abort were not seen" },
	},
	{
		Name: "connect-failed", When: "the platform says that the attempt failed",
		Verdict: FailedOpen, Cause: CauseUnknown, First: InitiatorNone,
		holds: func(f *Facts) bool { return notice(f, NoticeConnectFailed) },
		doubt: func(*Facts) string { return "the reason of the failure is not one that is known" },
	},
	{
		Name: "cut-off", When: "closed before both FINs were exchanged, and the platform does not say why",
		Verdict: Abortive, Cause: CauseUnknown,
		holds: func(f *Facts) bool { return notice(f, NoticeCutOff) },
		doubt: func(*Facts) string { return "no event says who ended the connection, or why" },
	},
	{
		Name: "fin-active", When: "from FIN_WAIT2, CLOSING or TIME_WAIT",
		Verdict: Graceful, Cause: CauseFIN, First: InitiatorLocal,
		holds: func(f *Facts) bool {
			return last(f) == FinWait2 || last(f) == TimeWait || finished(f) && last(f) == Closing
		},
		doubt: doubtPeerFIN,
	},
	{
		Name: "fin-passive", When: "from LAST_ACK, FIN acknowledged",
		Verdict: Graceful, Cause: CauseFIN, First: InitiatorPeer,
		holds: func(f *Facts) bool { return last(f) == LastAck && finished(f) },
		doubt: doubtFINAcked,
	},
	{
		Name: "orphan-dropped", When: "an orphan, FIN not acknowledged, no error, no RST",
		Verdict: Silent, Cause: CauseOrphanDropped, Terminator: LocalKernel, First: InitiatorLocal,
		holds: func(f *Facts) bool {
			return f.Evidence.Dead.Is(true) && f.TCP.Error == "" &&
				(last(f) == FinWait1 || last(f) == LastAck || last(f) == Closing)
		},
	},
}
