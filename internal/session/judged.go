package session

import (
	"context"
	"iter"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// PartError says why a file could be read only in part. What was read before is good.
type PartError struct{ Err error }

func (e *PartError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *PartError) Unwrap() error { return e.Err }

// judged yields a start line, the judged events of a file that is read as a source, and
// a stop line, as a recording has them. end is when the source says it ended; lacks may
// return, after all, that no connection can be seen in it.
func judged(ctx context.Context, f model.Source, version string, end func() model.Time, lacks func() error) iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		start := f.Start()
		start.Tool.Version = version
		if !yield(model.Record{Kind: model.KindStart, Start: start}, nil) {
			return
		}
		stop := model.Stop{Time: start.Time, Reason: "source-ended"}
		var ended ledger.Ends
		for r, err := range model.Judged(f.Events(ctx)) {
			if err != nil {
				yield(model.Record{}, &PartError{err})
				return
			}
			stop.Time = max(stop.Time, r.Time())
			if ended.Add(&r); r.Kind == model.KindLoss {
				stop.Lose(&r.Loss)
			}
			if !yield(r, nil) {
				return
			}
		}
		stop.Time, stop.Teardowns = max(stop.Time, end()), ended.ByVerdict()
		if yield(model.Record{Kind: model.KindStop, Stop: stop}, nil) {
			if err := lacks(); err != nil {
				yield(model.Record{}, err)
			}
		}
	}
}
