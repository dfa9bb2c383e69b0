package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestProgress: nothing in the first second, a bar after it, nothing left at
// the end; a file that grows while it is read is never beyond 100 %.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var read int64
		quit, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			showProgress(&out, func() (int64, int64) { return read, 1000 }, quit)
		}()
		for _, step := range []struct {
			after time.Duration
			read  int64
			want  string
		}{
			{900 * time.Millisecond, 100, ""},
			{200 * time.Millisecond, 500, "\r[" + strings.Repeat("#", 4) + strings.Repeat(" ", 36) + "]  10 %"},
			{250 * time.Millisecond, 5000, "\r[" + strings.Repeat("#", 20) + strings.Repeat(" ", 20) + "]  50 %"},
			{250 * time.Millisecond, 5000, "\r[" + strings.Repeat("#", 40) + "] 100 %"},
		} {
			time.Sleep(step.after)
			synctest.Wait()
			if got := out.String(); got != step.want {
				t.Errorf("got %q, want %q", got, step.want)
			}
			out.Reset()
			read = step.read
		}
		close(quit)
		<-ended
		if got := out.String(); got != "\r\x1b[K" {
			t.Errorf("at the end: got %q, want that the line is cleared", got)
		}
	})
}
