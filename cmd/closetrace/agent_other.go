//go:build !linux

package main

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// countRunTime measures the kernel's programs, which other systems do not have.
func countRunTime() (of func(model.Source) func() (time.Duration, bool), done func()) {
	return func(model.Source) func() (time.Duration, bool) { return nil }, func() {}
}
