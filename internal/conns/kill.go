package conns

import (
	"errors"
	"fmt"
)

// Done is what the kernel did when it was told to end a connection.
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
