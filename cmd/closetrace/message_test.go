package main

import (
	"errors"
	"fmt"
	"testing"
)

// TestMessageIsOneLine: errors that were joined are one line without a literal \\n;
// escape sequences are shown.
func TestMessageIsOneLine(t *testing.T) {
	err := fmt.Errorf("cannot trace: %w", errors.Join(errors.New("fentry: no"), errors.New("kprobe: \x1b[31mred\n"), errors.New("last")))
	if got, want := message(err), `cannot trace: fentry: no; kprobe: \x1b[31mred; last`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
