package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

// screenFlags say what commands with a screen show, and may do.
type screenFlags struct {
	plain     bool // lines, also on a terminal
	allowKill bool // keys that end a connection
}

// wantsScreen reports whether the standard streams are a terminal that can show
// more than lines.
func (a *app) wantsScreen(plain bool) bool {
	return !plain && isTerminal(a.stdout) && isTerminal(a.stdin) && os.Getenv("TERM") != "dumb"
}

// screenGC keeps uncollected garbage from growing as large as the journal: ends make
// almost no garbage.
const screenGC = 10

// show runs the live screen, or prints lines if there is none.
func (a *app) show(ctx context.Context, t *trace, plain bool, open *openView) error {
	if !a.wantsScreen(plain) {
		return a.printLines(ctx, t)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lost := func() { cancel(session.Reason("signal")) } // a screen without a terminal would never end
	t.Hangup = func() bool { lost(); return false }
	defer onLostTerminal(a.stdin, lost)()
	note, err := open.choose(t)
	if err != nil {
		return err
	}
	config := tui.Config{
		Start:    t.Start(),
		Traced:   t.filter.String(),
		Notice:   strings.Join(t.flags.warned, "; "),
		Stop:     func() { cancel(session.Reason("signal")) },
		Record:   func(path string) (tui.Recorder, error) { return beginPart(path, open.outputs, t.Start(), t.Cost) },
		Cost:     t.Cost,
		Create:   open.outputs.create,
		Keys:     open.keys,
		OpenNote: note,
		Open:     func() ([]tui.OpenConn, error) { return open.list(ctx) },
	}
	config.LeaveAtEnd = t.flags.follow != nil // the summary follows
	if !config.LeaveAtEnd {
		config.Left = func(t tui.Totals) { _, _ = io.WriteString(a.stderr, farewell(&t)) }
	}
	if open.allowKill {
		config.End = open.end
	}
	return cmp.Or(a.screen(ctx, t.Records(ctx), config), t.Failed())
}

// screen fills in what every screen has.
func (a *app) screen(ctx context.Context, records iter.Seq2[model.Record, error], c tui.Config) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(screenGC)
	}
	c.Zone = time.Local
	c.JSON = record.Append
	watch := newWatch(c.Replay == nil)
	c.Findings, records = watch.findings, watch.records(records)
	c.Explain = model.Explain
	c.ASCII = !utf8Locale()
	c.NoColor = os.Getenv("NO_COLOR") != ""
	return tui.Run(ctx, records, c)
}

// printLines writes one line of text for each record, at once.
func (a *app) printLines(ctx context.Context, t *trace) (err error) {
	options := a.lineOptions()
	out := bufio.NewWriter(a.stdout)
	defer func() {
		if flushed := out.Flush(); err == nil { // a second error would be the same
			err = flushed
		}
	}()
	if _, err := fmt.Fprintln(out, tui.LineHeader(options)); err != nil {
		return err
	}
	for r, err := range t.Records(ctx) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, tui.Line(&r, options)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// farewell is what the screen leaves on the terminal: what came in, and where it was
// recorded.
func farewell(t *tui.Totals) string {
	text := human.Many(t.Ends, "connection end")
	if span := t.To.Sub(t.From); t.From != 0 && span >= time.Second {
		text += " in " + human.Duration(span)
	}
	separator := ": "
	for _, v := range model.Verdicts() {
		if n := t.Verdicts[v]; n > 0 {
			text += fmt.Sprintf("%s%s %v", separator, human.Count(n), v)
			separator = ", "
		}
	}
	if t.LostBytes > 0 {
		text += "; " + human.Bytes(t.LostBytes) + " lost"
	}
	if t.Missed.Total() > 0 {
		text += "; " + human.Losses(&t.Missed)
	}
	if t.Recording != "" {
		text += fmt.Sprintf("\nrecorded %s: closetrace replay %s", human.Many(t.Recorded, "record"), safetext.Escape(t.Recording))
	}
	return text + "\n"
}

// beginPart begins a recording on the screen, which has no --force.
func beginPart(path string, to outputs, start model.Start, cost func() model.Cost) (tui.Recorder, error) {
	options, err := to.recording(path)
	if err != nil {
		return nil, err
	}
	options.Cost = cost
	p, err := session.BeginPart(path, options, start)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists; choose another name", path)
	}
	if err != nil {
		return nil, err // a nil interface, not a nil pointer in one
	}
	return p, nil
}
