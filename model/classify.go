package model

import (
	"math"
	"time"
)

// noRule stands for the rule where none holds.
const noRule = "no-rule-holds"

// Classify concludes how and why a connection ended. It is a pure function of
// f: the first rule of [Rules] that holds decides. Facts that a record shows
// but a back end does not observe (Linger.Outcome) are not read.
func Classify(f *Facts) Judgement {
	j := Judgement{Rule: noRule, Confidence: Inferred, ConfidenceReason: "no rule holds for these facts"}
	if r := firstRule(f); r != nil {
		j = Judgement{
			Verdict: r.Verdict, Cause: r.Cause, Terminator: r.Terminator,
			Confidence: Certain, Rule: r.Name,
		}
		if r.Verdict == Abortive && neverOpen(f) {
			j.Verdict = FailedOpen
		}
		if r.doubt != nil {
			j.ConfidenceReason = r.doubt(f)
		}
		j.Initiator = initiator(f, r.First)
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

// gapReason says why not everything around an end was seen.
func gapReason(f *Facts) string {
	if f.Evidence.Uncounted {
		return "the trace was not closed, or was cut or written over: how many events it lacks around this end is not known"
	}
	return "events around this end were lost or came too late"
}

func firstRule(f *Facts) *Rule {
	for i := range rules {
		if rules[i].holds(f) {
			return &rules[i]
		}
	}
	return nil
}

// neverOpen reports whether the connection is known not to have reached
// ESTABLISHED.
func neverOpen(f *Facts) bool {
	switch f.TCP.Path.Last() {
	case SynSent, SynRecv, NewSynRecv:
		return true
	default:
		return false
	}
}

// initiator tells from the states who sent the first FIN (RFC 9293, figure 5);
// where no FIN was sent, first says who sent the first RST.
func initiator(f *Facts, first Initiator) Initiator {
	p := f.TCP.Path
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
	case first == InitiatorLocal && neverOpen(f) && !f.TCP.RST.Sent.Or(false) && !f.Evidence.RSTHere:
		return InitiatorNone // an attempt that was given up: nothing is sent
	case first == InitiatorUnknown && f.TCP.RST.Sent.Or(false):
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

// Retracts reports whether j, the judgement of an outcome with the facts f, takes
// back a linger-timeout that was reported because only a timer had run out.
func Retracts(f *Facts, j *Judgement) bool {
	return f.Evidence.Wait.TimerExpired && j.LingerOutcome != LingerExpired && j.LingerOutcome != LingerUnknown
}

// tick is how much earlier than its N seconds a linger wait may seem to end:
// the kernel counts the wait in jiffies, of up to 10 ms, and Windows in clock
// ticks of 16 ms.
const tick = 20 * time.Millisecond

// lingerOutcome tells how close() with SO_LINGER {1,N} went. Linux keeps the
// closer waiting in sk_stream_wait_close() until the FIN is acknowledged, the
// time is out or a signal is pending, and then orphans the socket: that a
// socket still has an owner when its FIN is acknowledged shows that the wait
// was not over.
func lingerOutcome(f *Facts) LingerOutcome {
	w, limit := &f.Evidence.Wait, lingerLimit(f)
	left, hasLeft := w.Left.Get()
	returned, hasReturned := w.Returned.Get()
	orphaned, hasOrphaned := w.Orphaned.Get()
	switch {
	case limit > 0 && (w.Exiting || nothingToWaitFor(f)):
		return LingerSkipped
	case !w.Began || limit == 0:
		return LingerUnknown
	case hasLeft && (!w.LeftDead || w.LeftOwned && left < limit-tick):
		return waitEnded(f)
	case hasReturned && returned < limit-tick, hasOrphaned && orphaned < limit-tick:
		return LingerInterrupted
	case hasReturned, hasLeft && left >= limit-tick, w.TimerExpired:
		return LingerExpired
	case hasLeft:
		return LingerInterrupted
	default:
		return LingerUnknown
	}
}

// nothingToWaitFor: close() began when our FIN, which shutdown() had sent, was
// acknowledged already (sk_stream_closing).
func nothingToWaitFor(f *Facts) bool {
	e := &f.Evidence
	return !e.Wait.Began && e.CloseTime != 0 && e.Notices == 0 && last(f) == FinWait2 && f.TCP.Bytes.Unread.Or(0) == 0
}

// waitEnded tells an acknowledged FIN from a connection that died while the
// closer waited.
func waitEnded(f *Facts) LingerOutcome {
	if f.TCP.Error != "" || f.Evidence.RSTReceivedBefore {
		return LingerReset
	}
	return LingerDrained
}

// lingerLimit returns N of SO_LINGER {1,N}, or 0. Linux waits for ever if N is
// negative or beyond MAX_SCHEDULE_TIMEOUT (sk_setsockopt).
func lingerLimit(f *Facts) time.Duration {
	const forever = time.Duration(math.MaxInt64)
	seconds := int64(f.Linger.Seconds.Or(0))
	switch {
	case !f.Linger.On.Is(true):
		return 0
	case seconds < 0, seconds > int64(forever/time.Second):
		return forever
	default:
		return time.Duration(seconds) * time.Second
	}
}

// closeBlocked returns how long close() waited, as far as the outcome tells.
func closeBlocked(f *Facts, outcome LingerOutcome) Opt[time.Duration] {
	w := &f.Evidence.Wait
	switch {
	case w.Returned.Known():
		return w.Returned
	case outcome == LingerExpired:
		return Some(lingerLimit(f))
	case outcome == LingerDrained, outcome == LingerReset:
		return w.Left
	default:
		return Opt[time.Duration]{}
	}
}
