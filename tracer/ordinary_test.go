//go:build linux

package tracer_test

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// TestOrdinaryEnds plays the lab while ordinary ends are only counted. What has no record
// must have been graceful by the lab's truth, which comes from system calls and packet
// captures, and must have been counted; all the rest must be reported as always.
func TestOrdinaryEnds(t *testing.T) {
	for _, mode := range tracer.TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := open(t, tracer.Options{Mode: mode, CountOrdinary: true})
			run := runLab(t, tr, lab.Scenarios())
			tr.Close()
			silent := takeSilent(t, &run)
			checkRun(t, run).report(t)
			t.Logf("%d were reported after they had been counted", takenBack(run.records))
			if counted := countedIn(run.results, run.records); counted != silent || silent == 0 {
				t.Errorf("%d ends were counted, and %d have no record", counted, silent)
			}
		})
	}
}

func takenBack(records []model.Record) (n uint64) {
	for i := range records {
		n += records[i].Counted.TakenBack
	}
	return n
}

// takeSilent takes the findings out of run that an end has no record where that end was
// graceful, and returns how many there are.
func takeSilent(t *testing.T, run *labRun) (silent uint64) {
	t.Helper()
	truths := map[string]lab.End{}
	for _, r := range run.results {
		for _, e := range r.Ends {
			truths[r.Name+" "+e.Label] = e
		}
	}
	var rest []lab.Finding
	for _, f := range run.findings {
		e := truths[f.Scenario+" "+f.End]
		if f.Kind == lab.Missing && e.Truth.Verdict == model.Graceful && e.Truth.Cause == model.CauseFIN && e.Truth.Outcome == nil {
			silent++
			t.Logf("%s %s: only counted", f.Scenario, f.End)
			continue
		}
		late := f.Field == "stray-reset" || strings.HasPrefix(f.Field, "outcome") || f.Kind == lab.Missing && e.Truth.Outcome != nil
		if late && crowded(run.records) {
			t.Logf("%v: other tests push ends out", f)
			if f.Field == "" {
				silent++ // the end too
			}
			continue
		}
		rest = append(rest, f)
	}
	run.findings = rest
	return silent
}

// countedIn returns how many ends were counted in the namespaces of the results and have
// no record.
func countedIn(results []lab.Result, records []model.Record) (n uint64) {
	played := map[uint32]bool{}
	for _, r := range results {
		played[r.NetNS] = true
	}
	for i := range records {
		r := &records[i]
		ours := played[r.Teardown.Network.NetNS] && strings.HasPrefix(r.Teardown.Process.Name, "lab-")
		if r.Kind == model.KindCounts && ours {
			n += r.Counted.Ends - r.Counted.TakenBack
		}
	}
	return n
}

// crowded reports whether so many ends were counted that some of the lab's are not kept
// any more: other tests of the same machine flood it.
func crowded(records []model.Record) bool {
	var n uint64
	for i := range records {
		n += records[i].Counted.Ends
	}
	return n > 1000
}
