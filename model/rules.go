package model

import "strings"

// Rule is one line of the classifier's table.
type Rule struct {
	// Name is written into every record that the rule decided.
	Name       string
	Verdict    Verdict
	Cause      Cause
	Terminator Terminator
	// First is who sent the first RST; it decides the initiator where the
	// states show no FIN. Where the rule does not know it, a RST that is known
	// to have left was the first.
	First Initiator
	// Needs is what must have been observed, all of it. The verdict is inferred if
	// something of that was not seen; the first such observation gives the reason.
	Needs []Observation
}

// When returns the condition in words.
func (r *Rule) When() string {
	words := make([]string, len(r.Needs))
	for i, o := range r.Needs {
		words[i] = o.Words()
	}
	return strings.Join(words, ", ")
}

// Rules returns the table in the order in which it is tried.
func Rules() []Rule { return append([]Rule(nil), rules[:]...) }

func needs(list ...Observation) []Observation { return list }

// rules is the classifier. The first line of which everything was observed decides. A
// verdict of abortive becomes failed-open where the connection never opened.
var rules = [...]Rule{
	{"late-data-in-time-wait", Abortive, CauseDataAfterClose, LocalKernel, InitiatorLocal, needs(ObservedLateDataTimeWait)},
	{"linger-expired", LingerTimeout, CauseLingerExpired, LocalApp, InitiatorLocal, needs(ObservedLingerExpired)},
	{"tcp-repair", Silent, CauseTCPRepair, LocalApp, InitiatorNone, needs(ObservedRepair)},
	{"refused-here", FailedOpen, CauseRefused, LocalKernel, InitiatorLocal, needs(ObservedResetHere, ObservedNeverOpen)},
	{"refused", FailedOpen, CauseRefused, Peer, InitiatorPeer, needs(ObservedRefused)},
	{"data-after-close", Abortive, CauseDataAfterClose, LocalKernel, InitiatorLocal, needs(ObservedAnsweredData, ObservedNoDescriptor)},
	{"data-after-shutdown", Abortive, CauseDataAfterShutdown, LocalKernel, InitiatorLocal, needs(ObservedAnsweredData)},
	{"reset-here", Abortive, CausePeerReset, LocalKernel, InitiatorLocal, needs(ObservedResetHere)},
	{"reset-between", Abortive, CausePeerReset, NetworkPath, InitiatorNone, needs(ObservedResetBetween)},
	{"peer-reset", Abortive, CausePeerReset, Peer, InitiatorPeer, needs(ObservedRSTReceived)},
	{"destroyed", Abortive, CauseDestroyed, Admin, InitiatorLocal, needs(ObservedDestroyed)},
	{"keepalive-timeout", Abortive, CauseKeepaliveTimeout, LocalKernel, InitiatorNone, needs(ObservedKeepaliveTimeout)},
	{"no-local-port", FailedOpen, CauseNoLocalPort, LocalKernel, InitiatorNone, needs(ObservedNoPort)},
	{"unreachable", FailedOpen, CauseUnreachable, NetworkPath, InitiatorNone, needs(ObservedUnreachable)},
	{"connect-timeout", FailedOpen, CauseConnectTimeout, LocalKernel, InitiatorNone, needs(ObservedConnectTimeout)},
	{"user-timeout", Abortive, CauseUserTimeout, LocalKernel, InitiatorNone, needs(ObservedUserTimeout)},
	{"zero-window-timeout", Abortive, CauseZeroWindowTimeout, LocalKernel, InitiatorNone, needs(ObservedZeroWindowTimeout)},
	{"retransmit-timeout", Abortive, CauseRetransmitTimeout, LocalKernel, InitiatorNone, needs(ObservedRetransmitTimeout)},
	{"mptcp-reset", Abortive, CauseMPTCPReset, LocalKernel, InitiatorLocal, needs(ObservedMPTCPReset)},
	{"finwait2-timeout-reset", Abortive, CauseFinWait2Timeout, LocalKernel, InitiatorLocal, needs(ObservedStackReset, ObservedInFinWait2)},
	{"resource-limit", Abortive, CauseOrphanOrMemoryLimit, LocalKernel, InitiatorLocal, needs(ObservedStackReset)},
	{"connect-cancelled", FailedOpen, CauseConnectCancelled, LocalApp, InitiatorNone, needs(ObservedConnectCancelled)},
	{"close-with-unread-data", Abortive, CauseUnreadData, LocalApp, InitiatorLocal, needs(ObservedInClose, ObservedUnread)},
	{"close-with-linger-zero", Abortive, CauseLingerZero, LocalApp, InitiatorLocal, needs(ObservedInClose, ObservedLingerZero)},
	{"disconnect", Abortive, CauseDisconnect, LocalApp, InitiatorLocal, needs(ObservedInCall)},
	{"listener-closed", Abortive, CauseListenerClosed, LocalApp, InitiatorLocal, needs(ObservedNeverAccepted)},
	{"linger2", Abortive, CauseLinger2Timeout, LocalKernel, InitiatorLocal, needs(ObservedRSTAfterEnd, ObservedInFinWait2, ObservedNoFINWait)},
	{"data-with-last-ack", Abortive, CauseDataAfterClose, LocalKernel, InitiatorLocal, needs(ObservedLateData)},
	{"resource-limit-at-close", Abortive, CauseOrphanOrMemoryLimit, LocalKernel, InitiatorLocal, needs(ObservedStackResetAtEnd, ObservedNoOwner)},
	{"system-abort", Abortive, CauseSystemAbort, LocalKernel, InitiatorLocal, needs(ObservedSystemAbort)},
	{"peer-restart", Abortive, CausePeerRestart, LocalKernel, InitiatorUnknown, needs(ObservedPeerRestart)},
	{"disconnect-timer", LingerTimeout, CauseLingerExpired, LocalApp, InitiatorLocal, needs(ObservedDisconnectTimeout)},
	{"finwait2-timeout", Graceful, CauseFinWait2Timeout, LocalKernel, InitiatorLocal, needs(ObservedFinWait2Timeout)},
	{"local-abort", Abortive, CauseLocalAbort, LocalApp, InitiatorLocal, needs(ObservedAbort)},
	{"connect-failed", FailedOpen, CauseUnknown, TerminatorUnknown, InitiatorNone, needs(ObservedConnectFailed)},
	{"cut-off", Abortive, CauseUnknown, TerminatorUnknown, InitiatorUnknown, needs(ObservedCutOff)},
	// bpf/ordinary.h has the conditions under which ends of the next two are only counted;
	// a new rule above them that takes their ends has to be excluded there.
	{"fin-active", Graceful, CauseFIN, TerminatorUnknown, InitiatorLocal, needs(ObservedFINFirst)},
	{"fin-passive", Graceful, CauseFIN, TerminatorUnknown, InitiatorPeer, needs(ObservedFINSecond)},
	{"orphan-dropped", Silent, CauseOrphanDropped, LocalKernel, InitiatorLocal, needs(ObservedNoOwner, ObservedFINUnacked)},
}

// need is what a rule needs, as a set.
type need struct {
	all  Observations
	rule *Rule
}

// needed are all rules, neededCalm those that need no trouble, in their order.
var needed, neededCalm = func() (all, calm []need) {
	for i := range rules {
		n := need{rule: &rules[i]}
		for _, o := range n.rule.Needs {
			n.all.Add(o)
		}
		all = append(all, n)
		if n.all&needTrouble == 0 {
			calm = append(calm, n)
		}
	}
	return all, calm
}()
