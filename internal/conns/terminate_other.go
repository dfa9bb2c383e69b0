//go:build !linux && !windows

package conns

// Terminate returns an error that is errors.ErrUnsupported.
func Terminate(*Conn) error { return errKill }
