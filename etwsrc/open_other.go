//go:build !windows || !(amd64 || arm64)

package etwsrc

import (
	"errors"
	"fmt"
)

// Open fails with [errors.ErrUnsupported]: ETW sessions need 64-bit Windows.
func Open(Options) (*Session, error) {
	return nil, fmt.Errorf("trace live: %w in this program: ETW sessions need 64-bit Windows; a trace file can be replayed anywhere", errors.ErrUnsupported)
}
