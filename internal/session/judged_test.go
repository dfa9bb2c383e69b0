package session

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/closetrace/closetrace/internal/lab/scenariotest"
	"github.com/closetrace/closetrace/model"
)

// finished is a script that ends by itself, as a file does.
type finished struct{ script }

func (s *finished) Events(ctx context.Context) iter.Seq2[*model.Event, error] {
	return func(yield func(*model.Event, error) bool) {
		for e, err := range s.script.Events(ctx) {
			if e.Kind == model.KindUnknown || !yield(e, err) {
				return
			}
		}
	}
}

// TestStopOfFile: the last line counts each end once, under what its outcome says.
func TestStopOfFile(t *testing.T) {
	truths := scenariotest.Read(t, "../../model/testdata/scenarios")
	facts := func(verdict model.Verdict, later bool) model.Facts {
		i := slices.IndexFunc(truths, func(h scenariotest.Truth) bool { return h.Verdict == verdict && h.Facts.Evidence.Later == later })
		return truths[i].Facts
	}
	file := &finished{script{records: make([]model.Record, 4)}}
	for i, verdict := range []model.Verdict{model.Graceful, model.Graceful, model.Abortive} {
		r := &file.records[i]
		if r.Kind = model.KindTeardown; i == 2 {
			r.Kind = model.KindOutcome
		}
		r.Teardown.Facts = facts(verdict, i == 2)
		r.Teardown.ID = []string{"a", "b", "a"}[i]
	}
	var last model.Record
	for r, err := range judged(t.Context(), file, "", func() model.Time { return 0 }, func() error { return nil }) {
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	if got := last.Stop.Teardowns; len(got) != 2 || got["graceful"] != 1 || got["abortive"] != 1 {
		t.Errorf("got %v, want one graceful and one abortive", got)
	}
}
