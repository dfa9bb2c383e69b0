package model

import "testing"

// TestEndsThatLookLikeTheStacks: what Linux 6.18 showed of ends that look like the stack's own, and are not.
func TestEndsThatLookLikeTheStacks(t *testing.T) {
	reset := func(path ...State) Facts {
		f := Facts{TCP: TCP{Path: PathOf(path...), Role: Passive}}
		f.TCP.RST.Sent, f.Evidence.RSTSentAfter = Some(true), true
		f.Evidence.Owned, f.Evidence.Dead, f.Evidence.Shutdown, f.Evidence.Descriptor = Some(false), Some(false), Some(uint8(0)), HolderNone
		return f
	}
	inCall := func(f Facts) Facts {
		f.Evidence.Owned, f.Evidence.Descriptor = Some(true), HolderOpen
		return f
	}
	waiting := func(f Facts) Facts { // an ICMP error, by IP_RECVERR
		f.TCP.Error = "EHOSTUNREACH"
		return f
	}
	fastOpen := func(f Facts) Facts {
		f.TCP.Bytes.Received = Some(uint64(5))
		return f
	}
	subflow := reset(SynRecv, Established, Closed)
	subflow.Evidence.RSTSentBefore = true
	timer := inCall(waiting(reset(SynSent, Established, Closed)))
	timer.Evidence.RSTSentAfter, timer.TCP.RST.Sent = false, Some(false)
	for name, c := range map[string]struct {
		facts   Facts
		verdict Verdict
		cause   Cause
	}{
		"disconnect while an error waits":         {inCall(waiting(reset(SynSent, Established, Closed))), Abortive, CauseDisconnect},
		"the timer ran out in a system call":      {timer, Abortive, CauseRetransmitTimeout},
		"listener closed while an error waits":    {waiting(reset(SynRecv, Established, Closed)), Abortive, CauseListenerClosed},
		"listener of MPTCP closed":                {subflow, Abortive, CauseListenerClosed},
		"fast open: accepted, read, disconnected": {inCall(fastOpen(reset(SynRecv, Closed))), Abortive, CauseDisconnect},
		"fast open: listener closed":              {fastOpen(reset(SynRecv, Closed)), Abortive, CauseListenerClosed},
		"no data yet":                             {reset(SynRecv, Closed), FailedOpen, CauseListenerClosed},
	} {
		if got := Classify(&c.facts); got.Verdict != c.verdict || got.Cause != c.cause || got.Confidence != Certain {
			t.Errorf("%s: got %v %v, %v %s; want %v %v", name, got.Verdict, got.Cause, got.Confidence, got.ConfidenceReason, c.verdict, c.cause)
		}
	}
}
