package sockets

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/closetrace/closetrace/internal/privilege"
)

// Done is what the kernel did when it was asked to end a connection.
type Done uint8

const (
	DoneUnknown Done = iota
	DoneEnded        // the connection is no longer there
	DoneNothing      // the kernel said yes and did nothing
)

// ErrGone is returned for a connection that had ended by itself. Its tuple may
// be that of another connection by now, which was left alone.
var ErrGone = errors.New("the connection has ended already; another one with its addresses, if any, was left alone")

// errNothing explains DoneNothing.
var errNothing = errors.New("the kernel accepted the request and did nothing")

// MayKill returns an error, which matches fs.ErrPermission, if the capabilities
// of this process are those of its file: they let their user look at everybody's
// connections, and reset none.
func MayKill() error {
	if privilege.Borrowed() {
		return fmt.Errorf("connections are ended with the caller's own privileges, not with those of the program's file: run it with sudo: %w", fs.ErrPermission)
	}
	return nil
}

// KillError says why a connection could not be ended.
type KillError struct {
	Conn *Conn
	Err  error
}

// Error implements error.
func (e *KillError) Error() string {
	return fmt.Sprintf("end %s -> %s: %v", e.Conn.Network.Local.AddrPort(), e.Conn.Network.Peer.AddrPort(), e.Err)
}

// Unwrap returns the reason: [ErrGone], fs.ErrPermission or errors.ErrUnsupported.
func (e *KillError) Unwrap() error { return e.Err }
