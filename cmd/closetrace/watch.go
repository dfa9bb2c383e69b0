package main

import (
	"iter"
	"sync"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

// watch looks for findings among the records that a screen shows.
type watch struct {
	mu     sync.Mutex
	engine *findings.Engine
	live   bool
	found  []tui.Finding
	next   time.Time // when findings are computed again
}

func newWatch(live bool) *watch { return &watch{engine: findings.New(), live: live} }

// records passes all records on.
func (w *watch) records(all iter.Seq2[model.Record, error]) iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		var last model.Record // one for all: the range's own would each move to the heap
		for r, err := range all {
			if last = r; err == nil {
				w.add(&last)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (w *watch) add(r *model.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine.Add(r)
}

// findings returns what was found so far, the most harmful first; it is computed once a
// second.
func (w *watch) findings() []tui.Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.Before(w.next) {
		return w.found
	}
	w.next = now.Add(time.Second)
	if w.live {
		w.engine.Advance(model.TimeOf(now))
	}
	report := w.engine.Report()
	w.found = make([]tui.Finding, len(report.Findings)) // the screen reads the old ones
	for i := range report.Findings {
		w.found[i] = shownFinding(&report.Findings[i])
	}
	return w.found
}

func shownFinding(f *findings.Finding) tui.Finding {
	pattern, _ := findings.PatternOf(f.ID)
	return tui.Finding{
		ID: f.ID, Title: f.Title, Harm: f.Harm.String(), Alarm: f.Harm >= findings.Medium,
		Inferred: f.Confidence == model.Inferred, Count: f.Count, Share: f.Share,
		First: f.First, Last: f.Last, Ongoing: f.Ongoing, Process: f.Process, Peer: f.Peer,
		Evidence: f.Evidence, Advice: f.Advice, Alike: pattern.Alike, Filter: f.Filter, Identity: f.Identity(),
	}
}
