package record

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Rejudge judges the facts of a teardown or outcome again, by the rules of this
// version, and reports whether anything of the judgement differs from what the
// recording says. Other kinds never change.
func Rejudge(r *model.Record) (now model.Teardown, changed bool) {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		now = model.Judge(r.Teardown.Facts)
		return now, now.Judgement != r.Teardown.Judgement
	case model.KindUnknown, model.KindStart, model.KindCloseFailed, model.KindLoss, model.KindStop:
	}
	return r.Teardown, false
}

// Differences lists what differs between two judgements of the same facts, one
// member each: "verdict abortive -> graceful".
func Differences(before, now *model.Judgement) []string {
	var list []string
	add := func(member, a, b string) {
		if a != b {
			list = append(list, fmt.Sprintf("%s %s -> %s", member, orNone(a), orNone(b)))
		}
	}
	add("verdict", before.Verdict.String(), now.Verdict.String())
	add("cause", before.Cause.String(), now.Cause.String())
	add("initiator", before.Initiator.String(), now.Initiator.String())
	add("terminator", before.Terminator.String(), now.Terminator.String())
	add("confidence", before.Confidence.String(), now.Confidence.String())
	add("confidence_reason", before.ConfidenceReason, now.ConfidenceReason)
	add("rule", before.Rule, now.Rule)
	add("linger.outcome", before.LingerOutcome.String(), now.LingerOutcome.String())
	add("close_blocked", blocked(before.CloseBlocked), blocked(now.CloseBlocked))
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
