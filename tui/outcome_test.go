package tui

import (
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestOutcomeIsMarked: what is learnt later may be inferred as well.
func TestOutcomeIsMarked(t *testing.T) {
	first := teardown()
	first.Teardown.Verdict, first.Teardown.Cause = model.Abortive, model.CausePeerReset
	later := first
	later.Kind, later.Teardown.Confidence = model.KindOutcome, model.Inferred
	r := newRig(t, 120, 24, []model.Record{first, later}, nil)
	r.press("2")
	r.shows("↳ abortive~")
}
