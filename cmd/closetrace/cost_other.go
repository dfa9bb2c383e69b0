//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const costHelp = ""

func (a *app) cost(context.Context, sourceFlags, time.Duration, bool) error {
	return fmt.Errorf("%w: --cost: %w", errSource, errors.ErrUnsupported)
}
