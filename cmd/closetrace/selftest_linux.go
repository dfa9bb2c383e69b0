package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/tracer"
)

const selftestHelp = `--selftest plays every way for a connection to end that this kernel offers, on
loopback in network namespaces of its own, and compares the verdicts with the
truth. What is judged wrong is played once more. ONCE: wrong at first, right on
retry, because this host hides events from programs or was very busy; a wrong
verdict marked certain is never retried. It takes about half a minute, touches no
other connection and leaves nothing behind.`

// selftestParallel is how many scenarios run side by side: nearly all of them
// wait for a timeout most of the time.
const selftestParallel = 8

// selftest plays every way for a connection to end that this kernel offers, in network
// namespaces of its own, and checks the verdicts against the truth. Wrong ones are played
// once more: some hosts keep BPF programs away from a process that they hide, and so from
// a softirq that interrupts it. Even on such a host verdicts may be inferred or missing,
// but never certain and wrong.
func (a *app) selftest(ctx context.Context, by sourceFlags) error {
	opts, err := by.options()
	if err != nil {
		return err
	}
	first, err := a.playJudged(ctx, opts, lab.Scenarios())
	if err != nil {
		return by.wrongTypes(err)
	}
	wrong := wrongOnes(first.findings)
	again := excusable(wrong)
	if len(again) == 0 {
		return a.printSelftest(first, nil)
	}
	second, err := a.playJudged(ctx, opts, again)
	if err != nil {
		return err
	}
	return a.printSelftest(first.with(second), wrong)
}

// excusable returns the scenarios in which no certain verdict is wrong.
func excusable(wrong map[string][]lab.Finding) (again []lab.Scenario) {
	for _, s := range lab.Scenarios() {
		findings := wrong[s.Name]
		if len(findings) > 0 && !slices.ContainsFunc(findings, func(f lab.Finding) bool { return f.Certain }) {
			again = append(again, s)
		}
	}
	return again
}

// playJudged plays scenarios in a trace of its own.
func (a *app) playJudged(ctx context.Context, opts tracer.Options, scenarios []lab.Scenario) (played, error) {
	source, err := tracer.Open(opts)
	if err != nil {
		return played{}, fmt.Errorf("%w: %w", errSource, err)
	}
	defer source.Close()
	var over atomic.Int64 // those that need the machine to themselves come last, and are not counted
	done := a.progress(func() (int64, int64) { return over.Load(), int64(len(scenarios)) })
	results, records, err := playTraced(ctx, source, func(ctx context.Context) ([]lab.Result, error) {
		return lab.RunAgain(ctx, scenarios, selftestParallel, func(*lab.Result) bool { over.Add(1); return false })
	})
	done()
	if err != nil {
		return played{}, err
	}
	return played{source.Start(), results, lab.Compare(results, records)}, nil
}

// with returns p, its scenarios replaced by those of again that could be played.
func (p played) with(again played) played {
	replaced := map[string]bool{}
	for _, r := range again.results {
		if r.Skipped != "" || r.Error != "" {
			continue
		}
		replaced[r.Name] = true
		i := slices.IndexFunc(p.results, func(old lab.Result) bool { return old.Name == r.Name })
		p.results[i] = r
	}
	p.findings = slices.DeleteFunc(p.findings, func(f lab.Finding) bool { return replaced[f.Scenario] })
	p.findings = append(p.findings, again.findings...)
	return p
}
