//go:build !windows || !cgo

package etwsrc

import (
	"errors"
	"strings"
	"testing"
)

func TestOpenSaysHowToGetALiveSession(t *testing.T) {
	s, err := Open(Options{})
	if s != nil || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "CGO_ENABLED=1") {
		t.Errorf("Open = %v, %v; want that it is unsupported and how to build it", s, err)
	}
	n := 0
	for _, err := range (&Session{}).Events(t.Context()) {
		if n++; !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("error = %v, want %v", err, errors.ErrUnsupported)
		}
	}
	if n != 1 {
		t.Errorf("%d items, want 1", n)
	}
}
