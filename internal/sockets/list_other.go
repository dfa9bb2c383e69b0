//go:build !linux && !windows

package sockets

import (
	"context"
	"errors"
	"fmt"
)

// List returns an error that is errors.ErrUnsupported.
func List(context.Context, Options) ([]Conn, error) {
	return nil, fmt.Errorf("list connections: needs Linux or Windows: %w", errors.ErrUnsupported)
}
