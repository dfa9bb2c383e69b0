package record

import (
	"maps"
	"testing"

	"github.com/closetrace/closetrace/internal/ledger/ledgertest"
	"github.com/closetrace/closetrace/model"
)

// TestTallyTakesBack: lines that could not be written do not count, in whichever order
// they amend each other.
func TestTallyTakesBack(t *testing.T) {
	made := ledgertest.Make(51, 500)
	n := len(made.Records)
	for _, written := range []int{0, 1, n / 3, n - 1, n} {
		var all tally
		var lines []line
		lost := uint64(0)
		for i := range made.Records {
			r := &made.Records[i]
			lines = append(lines, all.add(r, i))
			if i < written && r.Kind == model.KindLoss {
				lost += r.Loss.Count
			}
		}
		for _, l := range lines[written:] {
			all.remove(l)
		}
		want := made.Count(func(i int) bool { return i < written })
		stop := all.stop(&model.Record{Kind: model.KindStop}).Stop
		if !maps.Equal(stop.Teardowns, want.Verdicts) || stop.Lost != lost {
			t.Errorf("%d of %d written: got %v and %d lost, want %v and %d", written, n, stop.Teardowns, stop.Lost, want.Verdicts, lost)
		}
	}
}

// TestTallyOfLosses: losses that no line reported are in the stop line of the last file,
// but not those that a line of an earlier file reported.
func TestTallyOfLosses(t *testing.T) {
	loss := &model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 5}}
	stop := func(known uint64) *model.Record {
		return &model.Record{Kind: model.KindStop, Stop: model.Stop{Lost: known}}
	}
	var files tally
	for i, step := range []struct{ known, want uint64 }{{5, 5}, {10, 5}, {18, 8}} {
		files.add(loss, 0)
		if got := files.stop(stop(step.known)).Stop.Lost; got != step.want {
			t.Errorf("file %d: got %d lost events, want %d", i+1, got, step.want)
		}
		files.next()
	}
	if got := files.stop(stop(0)).Stop; got.Lost != 0 || len(got.Teardowns) != 0 {
		t.Errorf("an empty file: got %+v", got)
	}
	late := model.Losses{Late: 3}
	files.add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 4, Where: "ring-buffer"}}, 0)
	r := &model.Record{Kind: model.KindStop, Stop: model.Stop{Lost: 15 + 4 + 3, Losses: model.Losses{Ends: 4, Events: 15, Late: 3}}}
	got := files.stop(r).Stop
	if want := (model.Losses{Ends: 4}).Plus(late); got.Losses != want || got.Lost != want.Total() {
		t.Errorf("got %+v, want %+v: what this file lost, and what no line said", got.Losses, want)
	}
}
