package main

import (
	"context"
	"fmt"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// selftestParallel is how many scenarios run side by side: nearly all of them
// wait for a time-out most of the time.
const selftestParallel = 8

// selftest plays every way for a connection to end that this kernel offers, in
// network namespaces of its own, and holds the verdicts against the truth.
func (a *app) selftest(ctx context.Context, mode string) error {
	opts := tracer.Options{Mode: tracer.Mode(mode)}
	source, err := tracer.Open(opts)
	if err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	defer source.Close()
	traced, stop := context.WithCancel(ctx)
	defer stop()
	var results []lab.Result
	var failed error
	go func() {
		defer stop()
		results, failed = lab.Run(ctx, lab.Scenarios(), selftestParallel)
	}()
	var records []model.Record
	for r, err := range model.Judged(source.Events(traced)) {
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	if failed != nil {
		return failed
	}
	return a.printSelftest(results, lab.Compare(results, records), source.Start())
}

func (a *app) printSelftest(results []lab.Result, findings []lab.Finding, start model.Start) error {
	wrong := map[string][]lab.Finding{}
	for _, f := range findings {
		if f.Kind != lab.Absent { // what is left out is not wrong
			wrong[f.Scenario] = append(wrong[f.Scenario], f)
		}
	}
	var right, ends, bad int
	var unseen []string
	for _, r := range results {
		switch {
		case r.Skipped != "":
			unseen = append(unseen, fmt.Sprintf("%s: not possible here: %s", r.Name, r.Skipped))
			continue
		case r.Error != "":
			unseen = append(unseen, fmt.Sprintf("%s: could not be played: %s", r.Name, r.Error))
			continue
		}
		for _, e := range r.Ends {
			if e.Invisible != "" {
				unseen = append(unseen, fmt.Sprintf("%s: not visible: %s", r.Name, e.Invisible))
			}
		}
		ends += len(r.Ends)
		if len(wrong[r.Name]) > 0 {
			bad++
			continue
		}
		right++
	}
	fmt.Fprintf(a.stdout, "self-test on %s with %s: %d of %d scenarios judged right, %d connection ends\n",
		start.OS.Version, start.Backend, right, right+bad, ends)
	for _, r := range results {
		for _, f := range wrong[r.Name] {
			fmt.Fprintf(a.stdout, "WRONG  %s\n", safetext.Escape(f.String()))
		}
	}
	for _, line := range unseen {
		fmt.Fprintf(a.stdout, "-      %s\n", safetext.Escape(line))
	}
	if bad > 0 {
		return fmt.Errorf("%w: %d of %d scenarios were judged wrong; please report the lines above", errSelftest, bad, right+bad)
	}
	return nil
}
