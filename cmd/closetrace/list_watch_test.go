package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// TestWatchSaysWhatItDoesNotShow: under the heading on a terminal, once in a pipe.
func TestWatchSaysWhatItDoesNotShow(t *testing.T) {
	l := &lister{flags: &listFlags{}}
	for range 2 {
		for i := range 5 {
			l.skipped = append(l.skipped, fmt.Sprintf("pid %d: permission \x1b denied", i))
		}
	}
	lines := l.frame(make([]sockets.Conn, 30), 80, 24)
	if len(lines) != 23 || !strings.Contains(lines[1], `not all is shown: pid 0: permission \x1b denied`) || !strings.Contains(lines[4], "2 more") || !strings.HasPrefix(lines[5], "STATE") {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs}
	for range 3 {
		if err := a.refresh(nil, l); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(errs.String(), "pid 0"); n != 1 || strings.Contains(out.String(), "shown") {
		t.Errorf("said %d times, want once:\n%s", n, errs.String())
	}
}

// TestWatchWide: no column is left out, and the lines that a terminal wraps have room.
func TestWatchWide(t *testing.T) {
	c := sockets.Conn{ID: "f0000098-1a2b", Transport: "tcp", State: model.CloseWait}
	c.Process.PID, c.Process.Name, c.Process.User.Name = 812, "nginx", strings.Repeat("u", 60)
	l := &lister{flags: &listFlags{wide: true}}
	all := make([]sockets.Conn, 30)
	for i := range all {
		all[i] = c
	}
	lines := l.frame(all, 50, 24)
	rows := 0
	for _, line := range lines {
		rows += (len(line) + 49) / 50
	}
	if !strings.Contains(lines[1], "USER") || !strings.Contains(lines[2], c.Process.User.Name) || rows > 23 || rows < 20 {
		t.Errorf("%d rows:\n%s", rows, strings.Join(lines, "\n"))
	}
}
