//go:build linux || windows

package main

import (
	"context"
	"fmt"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// played is the result of scenarios that were traced.
type played struct {
	start    model.Start
	results  []lab.Result
	findings []lab.Finding
}

// playTraced plays scenarios of the lab while
// source traces them; run plays them.
func playTraced(ctx context.Context, source model.Source, run func(context.Context) ([]lab.Result, error)) ([]lab.Result, []model.Record, error) {
	traced, stop := context.WithCancel(ctx)
	defer stop()
	var results []lab.Result
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer stop()
		results, failed = run(ctx)
	}()
	var records []model.Record
	for r, err := range model.Judged(source.Events(traced)) {
		if err != nil {
			return nil, nil, err
		}
		records = append(records, r)
	}
	<-done
	return results, records, failed
}

// wrongOnes returns, by scenario, the findings that are wrong and not merely missing.
func wrongOnes(findings []lab.Finding) map[string][]lab.Finding {
	wrong := map[string][]lab.Finding{}
	for _, f := range findings {
		if f.Kind != lab.Absent {
			wrong[f.Scenario] = append(wrong[f.Scenario], f)
		}
	}
	return wrong
}

// printSelftest reports which scenarios were judged right, and every finding; also
// those of an earlier try, of scenarios that are right now.
func (a *app) printSelftest(p played, earlier map[string][]lab.Finding) error {
	wrong := wrongOnes(p.findings)
	var right, ends, bad int
	var unseen []string
	for _, r := range p.results {
		unseen = append(unseen, remarks(&r)...)
		if r.Skipped != "" || r.Error != "" {
			continue
		}
		ends += len(r.Ends)
		if len(wrong[r.Name]) > 0 {
			bad++
			continue
		}
		right++
	}
	fmt.Fprintf(a.stdout, "self-test on %s with %s: %d of %d scenarios judged right, %d connection ends\n",
		p.start.OS.Version, p.start.Backend, right, right+bad, ends)
	for _, r := range p.results {
		label, findings := "WRONG", wrong[r.Name]
		if len(findings) == 0 {
			label, findings = "ONCE", earlier[r.Name]
		}
		for _, f := range findings {
			fmt.Fprintf(a.stdout, "%-6s %s\n", label, safetext.Escape(f.String()))
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

// remarks are what else there is to say about a scenario.
func remarks(r *lab.Result) (lines []string) {
	switch {
	case r.Skipped != "":
		return []string{fmt.Sprintf("%s: not possible here: %s", r.Name, r.Skipped)}
	case r.Error != "":
		return []string{fmt.Sprintf("%s: could not be played: %s", r.Name, r.Error)}
	case r.Differs != "":
		lines = append(lines, fmt.Sprintf("%s: not as documented: %s", r.Name, r.Differs))
	}
	for _, e := range r.Ends {
		if e.Invisible != "" {
			lines = append(lines, fmt.Sprintf("%s: not visible: %s", r.Name, e.Invisible))
		}
	}
	return lines
}
