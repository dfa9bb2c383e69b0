package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// watch shows the table repeatedly until the context ends: in place on a terminal, one
// after the other in a pipe.
func (a *app) watch(ctx context.Context, l *lister, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var failed error
	for {
		all, err := l.read(ctx)
		switch {
		case ctx.Err() != nil:
			return failed
		case errors.Is(err, model.ErrFilterFailed):
			failed = cmp.Or(failed, err)
		case err != nil:
			return err
		}
		if err := a.refresh(all, l); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return failed
		case <-ticker.C:
		}
	}
}

func (a *app) refresh(all []sockets.Conn, l *lister) error {
	width, height := a.terminalSize()
	if width == 0 || height == 0 || l.flags.asJSON {
		if !l.reported && len(l.skipped) > 0 {
			l.reported = true
			l.report(a.stderr)
		}
		if err := a.printConns(all, l.flags, l.order); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.stdout)
		return err
	}
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	_, err := io.WriteString(a.stdout, home+strings.Join(l.frame(all, width, height), clearLine+"\n")+clearLine+"\n"+clearBelow)
	return err
}

// frame returns the lines of a terminal: a heading, what is not shown, and as much of the
// table as there is room for. With --wide the terminal wraps its lines.
func (l *lister) frame(all []sockets.Conn, width, height int) []string {
	lines := []string{fmt.Sprintf("%s   %s", time.Now().Format(time.TimeOnly), human.Many(len(all), "connection"))}
	for _, note := range l.notes() {
		lines = append(lines, ansi.Truncate(note, width, ""))
	}
	room := width
	if l.flags.wide {
		room = 0
	}
	lines = append(lines, connTable(all, l.flags.wide, room, l.order)...)
	rows := 0
	for i, line := range lines {
		if rows += max((cellWidth(line)+width-1)/width, 1); rows >= height {
			return lines[:i]
		}
	}
	return lines
}
