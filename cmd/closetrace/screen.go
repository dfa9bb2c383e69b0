package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

// wantsScreen reports whether the standard streams are a terminal that can show
// more than lines.
func (a *app) wantsScreen(plain bool) bool {
	return !plain && isTerminal(a.stdout) && isTerminal(a.stdin) && os.Getenv("TERM") != "dumb"
}

// show runs the live screen, or prints lines where there is none.
func (a *app) show(ctx context.Context, t *trace, plain bool, open *openView) error {
	if !a.wantsScreen(plain) {
		return a.printLines(ctx, t)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lost := func() { cancel(reason("signal")) } // a screen without a terminal would stay for ever
	t.hangup = func() bool { lost(); return false }
	defer onLostTerminal(a.stdin, lost)()
	config := tui.Config{
		Start:    t.start,
		Traced:   t.filter.String(),
		Stop:     func() { cancel(reason("signal")) },
		Record:   func(path string) (tui.Recorder, error) { return newScreenRecorder(path, t.start) },
		OpenNote: openNote,
		Open:     func() ([]tui.OpenConn, error) { return open.list(ctx) },
	}
	config.LeaveAtEnd = t.flags.follow != nil // the summary follows
	if open.allowKill {
		config.End = open.end
	}
	return cmp.Or(a.screen(ctx, t.records(ctx), config), t.rest.Failed())
}

// screen fills in what every screen has.
func (a *app) screen(ctx context.Context, records iter.Seq2[model.Record, error], c tui.Config) error {
	c.Zone = time.Local
	c.JSON = record.Append
	var err error
	if c.Keys, err = readKeys(); err != nil {
		return err
	}
	c.Explain = model.Explain
	c.ASCII = !utf8Locale()
	c.NoColor = os.Getenv("NO_COLOR") != ""
	return tui.Run(ctx, records, c)
}

// screenRecorder is a recording that is started and stopped on the screen.
type screenRecorder struct {
	*record.Writer
	lost uint64
}

func newScreenRecorder(path string, start model.Start) (*screenRecorder, error) {
	w, err := record.Create(path, record.Options{})
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists; choose another name", path) // the screen has no --force
	}
	if err != nil {
		return nil, err
	}
	start.Time = model.TimeOf(time.Now())
	if err := w.Write(&model.Record{Kind: model.KindStart, Start: start}); err != nil {
		return nil, fmt.Errorf("begin recording: %w", errors.Join(err, w.Close(), discard(path)))
	}
	return &screenRecorder{Writer: w}, nil
}

// Write implements [tui.Recorder]; the recording has its own start and stop.
func (r *screenRecorder) Write(rec *model.Record) error {
	switch rec.Kind {
	case model.KindStart, model.KindStop:
		return nil
	case model.KindLoss:
		r.lost += rec.Loss.Count
	case model.KindUnknown, model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindCounters, model.KindStray:
	}
	return r.Writer.Write(rec)
}

// Close implements [tui.Recorder].
func (r *screenRecorder) Close() error {
	stop := model.Stop{Time: model.TimeOf(time.Now()), Lost: r.lost, Reason: "signal"}
	return errors.Join(r.Writer.Write(&model.Record{Kind: model.KindStop, Stop: stop}), r.Writer.Close())
}
