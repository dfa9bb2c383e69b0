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
type Part struct{ *record.Writer }

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
	return &Part{w}, nil
}

// Write adds a record; the recording has its own start and stop.
func (r *Part) Write(rec *model.Record) error {
	if rec.Kind == model.KindStart || rec.Kind == model.KindStop {
		return nil
	}
	return r.Writer.Write(rec)
}

// Close ends the recording with its stop line.
func (r *Part) Close() error {
	stop := model.Stop{Time: model.TimeOf(time.Now()), Reason: "signal"} // the writer counts losses by their lines
	return errors.Join(r.Writer.Write(&model.Record{Kind: model.KindStop, Stop: stop}), r.Writer.Close())
}
