package record

import (
	"fmt"
	"strconv"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Rejudge judges the facts of a teardown or outcome again, by the rules of this version.
// If anything of the judgement differs from what the recording says, including what an
// outcome retracts, it returns true and the record as it is judged now. Other kinds never
// change.
func Rejudge(r *model.Record) (now model.Record, changed bool) {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		t := &r.Teardown
		j := model.Classify(&t.Facts)
		j.PeerCause = t.PeerCause // judged from the other end's facts
		if j == t.Judgement && r.Retracts == (r.Kind == model.KindOutcome && model.Retracts(&t.Facts, &j)) {
			return now, false
		}
		again := model.NewEvent(r.Kind, t.Facts)
		now = again.Judged()
		now.Teardown.PeerCause = t.PeerCause
		return now, true
	case model.KindUnknown, model.KindStart, model.KindCloseFailed, model.KindLoss, model.KindCounters, model.KindClock, model.KindTable, model.KindStray, model.KindCounts, model.KindStop:
	}
	return now, false
}

// Differences lists what differs between two judgements of the same facts, one
// member each: "verdict abortive -> graceful".
func Differences(old, rejudged *model.Record) []string {
	var list []string
	add := func(member, a, b string) {
		if a != b {
			list = append(list, fmt.Sprintf("%s %s -> %s", member, orNone(a), orNone(b)))
		}
	}
	before, now := &old.Teardown.Judgement, &rejudged.Teardown.Judgement
	add("verdict", before.Verdict.String(), now.Verdict.String())
	add("cause", before.Cause.String(), now.Cause.String())
	add("initiator", before.Initiator.String(), now.Initiator.String())
	add("terminator", before.Terminator.String(), now.Terminator.String())
	add("confidence", before.Confidence.String(), now.Confidence.String())
	add("confidence_reason", before.ConfidenceReason, now.ConfidenceReason)
	add("rule", before.Rule, now.Rule)
	add("linger.outcome", before.LingerOutcome.String(), now.LingerOutcome.String())
	add("close_blocked", blocked(before.CloseBlocked), blocked(now.CloseBlocked))
	add("retracts", strconv.FormatBool(old.Retracts), strconv.FormatBool(rejudged.Retracts))
	return list
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func blocked(d model.Opt[time.Duration]) string {
	if v, known := d.Get(); known {
		return v.String()
	}
	return ""
}
