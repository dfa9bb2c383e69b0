//go:build !linux && !windows

package main

import (
	"context"
	"errors"
	"fmt"
)

const selftestHelp = `--selftest needs Linux or Windows.`

func (*app) selftest(context.Context, sourceFlags) error {
	return fmt.Errorf("%w: the self-test needs Linux or Windows: %w", errSource, errors.ErrUnsupported)
}
