//go:build !linux && !windows

package lab

import (
	"context"
	"errors"
	"fmt"
)

// stage exists on Linux only.
type stage struct{}

// Main does nothing: there are no scenarios on this platform.
func Main() {}

// Scenarios returns nothing: the lab needs Linux.
func Scenarios() []Scenario { return nil }

// Run fails: the lab needs Linux.
func Run(context.Context, []Scenario, int) ([]Result, error) {
	return nil, fmt.Errorf("run the lab: %w: needs Linux", errors.ErrUnsupported)
}
