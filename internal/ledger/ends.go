package ledger

import "github.com/closetrace/closetrace/model"

// Ending is how an end counts.
type Ending struct {
	Verdict model.Verdict
	Cause   model.Cause
}

// EndingOf is how r counts by itself.
func EndingOf(r *model.Record) Ending { return Ending{r.Teardown.Verdict, r.Teardown.Cause} }

// Ends counts connection ends by how they finally ended, each once. The zero value
// is ready.
type Ends struct {
	counts   [model.NumVerdicts][model.NumCauses]uint64
	verdicts [model.NumVerdicts]uint64
	known    Ledger[Ending]
}

// ordinary is how ends that were only counted ended.
var ordinary = Ending{model.Graceful, model.CauseFIN}

// Add counts r, if it is about ends, and reports whether it is a new one. Ends that were
// only counted have no record of their own.
func (e *Ends) Add(r *model.Record) bool {
	if r.Kind == model.KindCounts {
		e.count(ordinary, r.Counted.Net())
		return false
	}
	if r.Kind != model.KindTeardown && r.Kind != model.KindOutcome {
		return false
	}
	now := EndingOf(r)
	if r.Kind == model.KindOutcome {
		if was := e.known.Of(r.Teardown.ID); was != nil {
			if r.Overrules() {
				e.count(*was, -1)
				e.count(now, 1)
				*was = now
			}
			return false
		}
	}
	e.count(now, 1)
	e.known.Add(r, now)
	return true
}

// Knows reports whether the end of r was counted.
func (e *Ends) Knows(r *model.Record) bool { return e.known.Of(r.Teardown.ID) != nil }

// count adds n, modulo 2^64: an end may be taken back after its lines have said more of it.
// A value that has no name counts as unknown.
func (e *Ends) count(how Ending, n int64) {
	if int(how.Verdict) >= model.NumVerdicts {
		how.Verdict = model.VerdictUnknown
	}
	if int(how.Cause) >= model.NumCauses {
		how.Cause = model.CauseUnknown
	}
	e.counts[how.Verdict][how.Cause] += uint64(n)
	e.verdicts[how.Verdict] += uint64(n)
}

// Counts returns the number of ends by how they ended.
func (e *Ends) Counts() map[Ending]uint64 {
	counts := map[Ending]uint64{}
	for v := range e.counts {
		for c, n := range e.counts[v] {
			if int64(n) > 0 {
				counts[Ending{model.Verdict(v), model.Cause(c)}] = n
			}
		}
	}
	return counts
}

// Verdicts returns the number of ends by verdict.
func (e *Ends) Verdicts() [model.NumVerdicts]uint64 { return e.verdicts }

// ByVerdict returns the same as a stop line has it.
func (e *Ends) ByVerdict() map[string]uint64 {
	counts := map[string]uint64{}
	for v, n := range e.verdicts {
		if int64(n) > 0 {
			counts[model.Verdict(v).String()] = n
		}
	}
	return counts
}
