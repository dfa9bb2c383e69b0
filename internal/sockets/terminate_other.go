//go:build !linux && !windows

package sockets

// Terminate returns an error that is errors.ErrUnsupported.
func Terminate(*Conn) error { return errKill }
