package main

import (
	"iter"
	"sync"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// watch looks for findings among the records that a screen shows.
type watch struct {
	mu     sync.Mutex
	engine *findings.Engine
	live   bool
	worst  string
	next   time.Time // when it is looked for again
}

func newWatch(live bool) *watch { return &watch{engine: findings.New(), live: live} }

// records passes all on.
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

// sentence returns the most harmful finding so far; it is looked for once a second.
func (w *watch) sentence() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.Before(w.next) {
		return w.worst
	}
	w.next = now.Add(time.Second)
	if w.live {
		w.engine.Advance(model.TimeOf(now))
	}
	w.worst = ""
	if list := w.engine.Report().Worst(1); len(list) > 0 {
		w.worst = list[0].ID + ": " + list[0].Title
	}
	return w.worst
}
