//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
)

func (*app) selftest(context.Context, string) error {
	return fmt.Errorf("%w: the self-test needs Linux: %w", errSource, errors.ErrUnsupported)
}
