package report

import (
	"fmt"
	"slices"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/safetext"
)

// finding is one of those that the page begins with.
type finding struct {
	ID, Harm, Sentence, Words, Advice, Filter string
	Ends                                      []evidence
}

// evidence is an end that proves a finding; Shown if the page has its details.
type evidence struct {
	ID    string
	Shown bool
}

// shownFindings is how many the page has.
const shownFindings = 10

func (p *page) findings(e *findings.Engine) {
	e.Finish()
	for _, f := range e.Report().Findings {
		if len(p.Findings) == shownFindings {
			p.MoreFindings++
			continue
		}
		row := finding{
			ID: f.ID, Harm: f.Harm.String(), Sentence: safetext.Escape(f.Title), Advice: safetext.Escape(f.Advice),
			Words: fmt.Sprintf("%s, %v, %s", f.Harm, f.Confidence, f.When(nil)),
		}
		if f.Filter != "" {
			row.Filter = safetext.Quoted(f.Filter)
		}
		for _, id := range f.Evidence {
			id = safetext.Escape(id)
			row.Ends = append(row.Ends, evidence{id, slices.ContainsFunc(p.Worst, func(w end) bool { return w.ID == id })})
		}
		p.Findings = append(p.Findings, row)
	}
}
