//go:build linux

package tracer_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// told is what is reported of one end, whatever the order of the messages.
func told(p paired) string {
	s := judgement(&p.teardown)
	if p.outcome != nil {
		s += ", then " + judgement(p.outcome)
	}
	return s
}

// judgement leaves out whether a linger-timeout is certain: that depends on
// which came first, the return of close() or the timer.
func judgement(t *model.Teardown) string {
	confidence := t.Confidence
	if t.Verdict == model.LingerTimeout {
		confidence = model.ConfidenceUnknown
	}
	return fmt.Sprintf("%v %v %v %v %v linger=%q closer=%v/%d owner=%v/%d %+v", t.Verdict, t.Cause, t.Initiator,
		t.Terminator, confidence, t.LingerOutcome, t.Closer.Call, t.Closer.PID, t.Process.Source, t.Process.PID, t.TCP)
}

func stories(c *tracer.Capture, order []int) map[string]string {
	all := map[string]string{}
	for _, p := range pair(c.Results, c.Play(order, nil)) {
		all[p.name] = told(p)
	}
	return all
}

// checkAnyOrder: the order of messages of different sockets does not matter.
func checkAnyOrder(c *tracer.Capture, times int) (found problems) {
	want := stories(c, c.InOrder())
	if len(want) == 0 {
		found.addf("the capture tells nothing")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, window := range []time.Duration{time.Microsecond, time.Millisecond, 50 * time.Millisecond, time.Second, 0} {
		for range times {
			got := stories(c, c.Shuffled(r, window))
			for end, text := range want {
				if got[end] != text {
					found.addf("%s: in another order, within %v:\n got %s\nwant %s", end, window, got[end], text)
				}
			}
		}
	}
	return found
}

// checkLosses: when messages are lost, no certain verdict is wrong.
func checkLosses(c *tracer.Capture, times int) (found problems) {
	r := rand.New(rand.NewPCG(3, 4))
	certain := 0
	for _, share := range []float64{0.01, 0.1, 0.3, 0.7} {
		for range times {
			records := c.Play(c.InOrder(), func(int) bool { return r.Float64() < share })
			n, wrong := wrongAndCertain(c.Results, records)
			certain += n
			found = append(found, wrong...)
		}
	}
	if certain == 0 {
		found.addf("nothing was said for certain: the test shows nothing")
	}
	return found
}

// wrongAndCertain returns how many records are certain. A linger-timeout is
// looked at alone, because its outcome may be lost.
func wrongAndCertain(results []lab.Result, records []model.Record) (n int, found problems) {
	var certain []model.Record
	for _, r := range records {
		if r.Kind == model.KindTeardown && r.Teardown.Confidence == model.Certain {
			certain = append(certain, r)
		}
	}
	for _, f := range lab.Compare(results, certain) {
		if f.Certain {
			found.addf("with losses: %v", f)
		}
	}
	return len(certain), found
}

// TestCaptures does without a kernel what TestLab does with one.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob("testdata/captures/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("find captures: %v %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := tracer.ReadCapture(file)
			if err != nil {
				t.Fatal(err)
			}
			run := labRun{results: c.Results, records: c.Play(c.InOrder(), nil), capture: c}
			run.findings = lab.Compare(run.results, run.records)
			checkRun(t, run).report(t)
			checkAnyOrder(&c, 10).report(t)
			checkLosses(&c, 20).report(t)
		})
	}
}

// TestHiddenExcusesNothingCertain: when a try does not count because the host hid
// something of it, certain verdicts must still be right; inferred ones need not.
func TestHiddenExcusesNothingCertain(t *testing.T) {
	c, err := tracer.ReadCapture("testdata/captures/host-tracepoint.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	run := labRun{touched: c.Results, records: c.Play(c.InOrder(), nil)}
	checkRun(t, run).report(t)
	for i := range run.touched {
		for j := range run.touched[i].Ends {
			run.touched[i].Ends[j].Truth.Cause = model.CauseMPTCPReset
		}
	}
	if len(checkRun(t, run)) == 0 {
		t.Error("certain causes that are wrong are excused")
	}
	for i := range run.records {
		run.records[i].Teardown.Confidence = model.Inferred
	}
	checkRun(t, run).report(t)
}
