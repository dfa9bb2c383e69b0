package main

import (
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// countRunTime makes the kernel measure its programs. Without the capability for that,
// their time is not known.
func countRunTime() (of func(model.Source) func() (time.Duration, bool), done func()) {
	measuring, err := tracer.MeasurePrograms()
	if err != nil {
		return func(model.Source) func() (time.Duration, bool) { return nil }, func() {}
	}
	return func(source model.Source) func() (time.Duration, bool) {
		t, ok := source.(*tracer.Tracer)
		if !ok {
			return nil
		}
		return func() (time.Duration, bool) {
			cost, _ := t.Cost() // without capabilities it may lack the maps, which are not asked for
			return cost.Time(), cost.Time() > 0
		}
	}, func() { _ = measuring.Close() }
}
