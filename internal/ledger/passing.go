package ledger

import "github.com/closetrace/closetrace/model"

// Passing is a filter for a sequence of records: an outcome passes if its teardown
// did or if it does itself. It is for one goroutine.
type Passing struct {
	filter *model.Filter
	passed Ledger[struct{}]
}

// NewPassing returns a filter of records one by one as one of a sequence. The nil
// filter passes all.
func NewPassing(filter *model.Filter) *Passing { return &Passing{filter: filter} }

// Failed is that of the filter.
func (p *Passing) Failed() error { return p.filter.Failed() }

// Match reports whether r, the next record, passes.
func (p *Passing) Match(r *model.Record) bool {
	if p.filter == nil {
		return true
	}
	passes := p.filter.Match(r)
	switch {
	case r.Kind == model.KindTeardown && passes:
		p.passed.Add(r, struct{}{})
	case r.Kind == model.KindOutcome && !passes:
		passes = p.passed.Of(r.Teardown.ID) != nil
	}
	return passes
}
