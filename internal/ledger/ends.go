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
	counts map[Ending]uint64
	known  Ledger[Ending]
}

// Add counts r, if it tells of an end, and reports whether it is a new one.
func (e *Ends) Add(r *model.Record) bool {
	if r.Kind != model.KindTeardown && r.Kind != model.KindOutcome {
		return false
	}
	if e.counts == nil {
		e.counts = map[Ending]uint64{}
	}
	now := EndingOf(r)
	if r.Kind == model.KindOutcome {
		if was := e.known.Of(r.Teardown.ID); was != nil {
			if r.Overrules() {
				e.take(*was)
				e.counts[now]++
				*was = now
			}
			return false
		}
	}
	e.counts[now]++
	e.known.Add(r, now)
	return true
}

// Knows reports whether the end of r was counted.
func (e *Ends) Knows(r *model.Record) bool { return e.known.Of(r.Teardown.ID) != nil }

func (e *Ends) take(was Ending) {
	if e.counts[was]--; e.counts[was] == 0 {
		delete(e.counts, was)
	}
}

// Counts returns the number of ends by how they ended. It is not a copy.
func (e *Ends) Counts() map[Ending]uint64 { return e.counts }

// Verdicts returns the number of ends by verdict.
func (e *Ends) Verdicts() (counts [model.NumVerdicts]uint64) {
	for how, n := range e.counts {
		if int(how.Verdict) < model.NumVerdicts {
			counts[how.Verdict] += n
		}
	}
	return counts
}

// ByVerdict returns the same as a stop line has it.
func (e *Ends) ByVerdict() map[string]uint64 {
	counts := map[string]uint64{}
	for how, n := range e.counts {
		counts[how.Verdict.String()] += n
	}
	return counts
}
