//go:build !windows || !cgo

package etwsrc

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/closetrace/closetrace/model"
)

var _ model.Source = (*Session)(nil)

// errNoLive says how to get a live session.
var errNoLive = fmt.Errorf("trace live: %w in this program: ETW sessions need Windows and a build with cgo "+
	"(CGO_ENABLED=1 GOOS=windows CC=x86_64-w64-mingw32-gcc go build ./cmd/closetrace); a trace file can be replayed anywhere", errors.ErrUnsupported)

// Session is a live session; this program can't have one.
type Session struct{}

// Open fails with [errors.ErrUnsupported]: live sessions need Windows and cgo.
func Open(Options) (*Session, error) { return nil, errNoLive }

// Start implements [model.Source].
func (*Session) Start() model.Start { return model.Start{} }

// Events implements [model.Source] with the error of Open.
func (*Session) Events(context.Context) iter.Seq2[model.Event, error] {
	return func(yield func(model.Event, error) bool) { yield(model.Event{}, errNoLive) }
}

// Close implements [model.Source].
func (*Session) Close() error { return nil }

// Providers returns nothing.
func (*Session) Providers() []Provider { return nil }

// PayloadsReadable returns false.
func (*Session) PayloadsReadable() bool { return false }

// Stats returns nothing.
func (*Session) Stats() Stats { return Stats{} }
