//go:build !linux && !windows

package sockets

import (
	"errors"
	"fmt"
)

// Killer ends connections; on this system it can't.
type Killer struct{}

// Open returns an error that is errors.ErrUnsupported.
func (*Killer) Open(uint32) error { return errKill }

// Kill returns a *[KillError] that is errors.ErrUnsupported.
func (*Killer) Kill(c *Conn) (Done, error) { return DoneUnknown, &KillError{c, errKill} }

// Close does nothing.
func (*Killer) Close() error { return nil }

// Why explains DoneNothing.
func (d Done) Why(*Conn) error { return errNothing }

var errKill = fmt.Errorf("needs Linux or Windows: %w", errors.ErrUnsupported)
