package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/sockets"
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
