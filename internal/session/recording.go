package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// Record writes records until the session ends, and shows each to seen. After an error of the file the rest is
// dropped: what was written stays readable.
func (s *Session) Record(ctx context.Context, w *record.Writer, seen func(*model.Record)) error {
	for r, err := range s.InPlace(ctx) {
		if err != nil {
			return err
		}
		seen(r)
		switch err := w.Write(r); {
		case err == nil, errors.Is(err, record.ErrLine):
		case errors.Is(err, record.ErrMaxSize):
			return w.Write(&model.Record{Kind: model.KindStop, Stop: model.Stop{Time: r.Time(), Lost: s.stop.Lost, Losses: s.stop.Losses, Reason: "size"}})
		case r.Kind != model.KindStop:
			stop := model.Stop{Time: r.Time(), Lost: s.stop.Lost, Losses: s.stop.Losses, Reason: "error"}
			_ = w.Write(&model.Record{Kind: model.KindStop, Stop: stop}) // a full disk may have room for one more line
			return err
		default:
			return err
		}
	}
	return nil
}

// Part is a recording that begins and ends while the session goes on, as on the
// screen.
type Part struct {
	*record.Writer
	stop model.Stop
}

// BeginPart begins a recording; the error of a file that is there matches
// [fs.ErrExist].
func BeginPart(path string, options record.Options, start model.Start) (*Part, error) {
	w, err := record.Create(path, options)
	if err != nil {
		return nil, err
	}
	start.Time = model.TimeOf(time.Now())
	if err := w.Write(&model.Record{Kind: model.KindStart, Start: start}); err != nil {
		return nil, fmt.Errorf("begin recording: %w", errors.Join(err, w.Discard()))
	}
	return &Part{Writer: w}, nil
}

// Write adds a record; the recording has its own start and stop.
func (r *Part) Write(rec *model.Record) error {
	switch rec.Kind {
	case model.KindStart, model.KindStop:
		return nil
	case model.KindLoss:
		r.stop.Lose(&rec.Loss)
	case model.KindUnknown, model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindCounters, model.KindClock, model.KindTable, model.KindStray, model.KindCounts:
	}
	return r.Writer.Write(rec)
}

// Close ends the recording with its stop line.
func (r *Part) Close() error {
	r.stop.Time, r.stop.Reason = model.TimeOf(time.Now()), "signal"
	return errors.Join(r.Writer.Write(&model.Record{Kind: model.KindStop, Stop: r.stop}), r.Writer.Close())
}
