package main

import (
	"context"
	"fmt"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/tracer"
)

const selftestHelp = `--selftest plays every way for a connection to end that this kernel offers, on
loopback in network namespaces of its own, and compares the verdicts with the
truth. It takes about half a minute, touches no other connection and leaves
nothing behind.`

// selftestParallel is how many scenarios run side by side: nearly all of them
// wait for a time-out most of the time.
const selftestParallel = 8

// selftest plays every way for a connection to end that this kernel offers, in
// network namespaces of its own, and holds the verdicts against the truth.
func (a *app) selftest(ctx context.Context, mode string) error {
	source, err := tracer.Open(tracer.Options{Mode: tracer.Mode(mode)})
	if err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	defer source.Close()
	results, records, err := playTraced(ctx, source, selftestParallel)
	if err != nil {
		return err
	}
	return a.printSelftest(results, lab.Compare(results, records), source.Start())
}
