//go:build !linux

package main

import (
	"io"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/sandbox"
)

// Elsewhere a trace runs as the user who started it.
func (t *traceFlags) sandboxFlags(*pflag.FlagSet) {}
func (t *traceFlags) warnUnboxed(io.Writer)       {}
func (t *traceFlags) confined() bool              { return false }
func (t *traceFlags) openBox() (*sandbox.Box, error) {
	if t.box == nil {
		t.box = &sandbox.Box{}
	}
	return t.box, nil
}
