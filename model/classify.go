package model

// noRule stands for the rule where none holds.
const noRule = "no-rule-holds"

// Classify concludes how and why a connection ended. It is a pure function of
// f: the first rule of [Rules] of which everything was observed decides.
func Classify(f *Facts) Judgement {
	j := Judgement{Rule: noRule, Confidence: Inferred, ConfidenceReason: "no rule holds for these facts"}
	o := Observe(f)
	if r := firstRule(&o); r != nil {
		j = Judgement{
			Verdict: r.Verdict, Cause: r.Cause, Terminator: r.Terminator,
			Confidence: Certain, ConfidenceReason: doubt(&o, r), Rule: r.Name,
		}
		if r.Verdict == Abortive && o.Has(ObservedNeverOpen) {
			j.Verdict = FailedOpen
		}
		j.Initiator = initiator(f, &o, r.First)
	}
	if j.Terminator == TerminatorUnknown && j.Verdict == Graceful {
		j.Terminator = closedBy(j.Initiator)
	}
	switch {
	case f.Evidence.Gap && j.Rule == noRule:
		j.ConfidenceReason = gapReason(f) + ", and no rule holds for what is left"
	case f.Evidence.Gap && j.ConfidenceReason == "":
		j.ConfidenceReason = gapReason(f)
	}
	if j.ConfidenceReason != "" {
		j.Confidence = Inferred
	}
	j.LingerOutcome = lingerOutcome(f)
	j.CloseBlocked = closeBlocked(f, j.LingerOutcome)
	return j
}

// causeOf returns the cause alone of what Classify concludes.
func causeOf(f *Facts) Cause {
	o := Observe(f)
	if r := firstRule(&o); r != nil {
		return r.Cause
	}
	return CauseUnknown
}

// gapReason says why not everything around an end was seen.
func gapReason(f *Facts) string {
	if f.Evidence.Uncounted {
		return "the trace was not closed, or was cut or written over: how many events it lacks around this end is not known"
	}
	return "events around this end were lost or came too late"
}

func firstRule(o *Observed) *Rule {
	list := needed
	if o.all&needTrouble == 0 {
		list = neededCalm
	}
	for i := range list {
		if n := &list[i]; o.all&n.all == n.all {
			return n.rule
		}
	}
	return nil
}

// doubt says what of the observations that r needs was not seen.
func doubt(o *Observed, r *Rule) string {
	for _, n := range r.Needs {
		if reason := o.Doubt(n); reason != "" {
			return reason
		}
	}
	return ""
}

// initiator concludes from the states who sent the first FIN (RFC 9293, figure 5);
// where no FIN was sent, first says who sent the first RST.
func initiator(f *Facts, o *Observed, first Initiator) Initiator {
	p := &f.TCP.Path
	switch {
	case f.TCP.FIN.Sent.Is(false) && p.Has(Closing):
		return InitiatorPeer // our FIN never left: it was queued behind data
	case f.TCP.FIN.Sent.Is(false) && p.Has(FinWait1):
		return first
	case p.Has(Closing):
		return InitiatorBoth
	case p.Has(FinWait1), p.Has(FinWait2), p.Has(TimeWait):
		return InitiatorLocal
	case p.Has(CloseWait), p.Has(LastAck):
		return InitiatorPeer
	case first == InitiatorLocal && o.Has(ObservedNeverOpen) && !o.Has(ObservedRSTSent) && !o.Has(ObservedResetHere):
		return InitiatorNone // an attempt that was given up: nothing is sent
	case first == InitiatorUnknown && o.Has(ObservedRSTSent):
		return InitiatorLocal
	default:
		return first
	}
}

// closedBy returns the terminator of a graceful end: whoever began to close.
func closedBy(i Initiator) Terminator {
	switch i {
	case InitiatorLocal, InitiatorBoth:
		return LocalApp
	case InitiatorPeer:
		return Peer
	case InitiatorUnknown, InitiatorNone:
	}
	return TerminatorUnknown
}
