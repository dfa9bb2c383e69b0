package session

import (
	"context"
	"errors"
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

// TestFileAsASource: the last line has the latest time of all, and what was lost. A file that
// can be read only in part has none, and the reason comes last.
func TestFileAsASource(t *testing.T) {
	broken, empty := errors.New("broken"), errors.New("no provider")
	records := []model.Record{
		{Kind: model.KindLoss, Loss: model.Loss{Time: 9, Count: 3, Where: "ring-buffer"}},
		{Kind: model.KindTeardown, Teardown: model.Teardown{Facts: model.Facts{Time: 7}}},
		{Kind: model.KindUnknown},
	}
	for name, c := range map[string]struct {
		file   model.Source
		end    model.Time
		lacks  error
		kinds  []model.Kind
		time   model.Time
		failed error
	}{
		"all of it":        {&finished{script{records: records}}, 5, nil, []model.Kind{model.KindStart, model.KindLoss, model.KindTeardown, model.KindStop}, 9, nil},
		"more, unread":     {&finished{script{records: records}}, 11, nil, []model.Kind{model.KindStart, model.KindLoss, model.KindTeardown, model.KindStop}, 11, nil},
		"no connection":    {&finished{script{records: records[2:]}}, 5, empty, []model.Kind{model.KindStart, model.KindStop, model.KindUnknown}, 5, empty},
		"only part of it ": {&script{records: records[:2], err: broken}, 5, nil, []model.Kind{model.KindStart, model.KindLoss, model.KindTeardown, model.KindUnknown}, 0, broken},
	} {
		var kinds []model.Kind
		var stop model.Stop
		var failed error
		for r, err := range judged(t.Context(), c.file, "v7", func() model.Time { return c.end }, func() error { return c.lacks }) {
			kinds, failed = append(kinds, r.Kind), err
			if r.Kind == model.KindStop {
				stop = r.Stop
			}
			if r.Kind == model.KindStart && r.Start.Tool.Version != "v7" {
				t.Errorf("%s: written by %+v", name, r.Start.Tool)
			}
		}
		var part *PartError
		if !slices.Equal(kinds, c.kinds) || !errors.Is(failed, c.failed) || errors.As(failed, &part) != errors.Is(c.failed, broken) {
			t.Errorf("%s: got %v, %v, want %v, %v", name, kinds, failed, c.kinds, c.failed)
		}
		if lost := slices.Contains(kinds, model.KindLoss) && c.failed == nil; stop.Time != c.time || lost && stop.Losses.Ends != 3 || lost != (stop.Lost == 3) {
			t.Errorf("%s: ended by %+v", name, stop)
		}
	}
}
