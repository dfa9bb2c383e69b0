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

// checkPeers: an end names the cause that the other end of its connection was judged by.
func checkPeers(records []model.Record) (found problems) {
	byID := map[string]*model.Teardown{}
	for i := range records {
		if r := &records[i]; r.Kind == model.KindTeardown {
			byID[r.Teardown.ID] = &r.Teardown
		}
	}
	pairs := 0
	for _, t := range byID {
		other := byID[t.PeerEnd]
		if other == nil || t.Evidence.Wait.Began || other.Evidence.Wait.Began { // judged twice
			continue
		}
		pairs++
		if t.PeerCause != other.Cause {
			found.addf("%s, %v: the other end is %v, and was judged %v", t.ID, t.Cause, t.PeerCause, other.Cause)
		}
	}
	if pairs < 20 {
		found.addf("%d pairs of ends: the test shows little", pairs)
	}
	return found
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
			checkPeers(run.records).report(t)
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

// checkAgreement: what two modes both report is the same.
func checkAgreement(t *testing.T, runs map[tracer.Mode]labRun) {
	t.Helper()
	type telling struct {
		mode   tracer.Mode
		truth  model.Cause // which may depend on what the kernel was first to do
		values map[string]string
	}
	first := map[string]telling{}
	for _, mode := range tracer.Modes() {
		for _, p := range pair(runs[mode].results, runs[mode].records) {
			if p.end.Invisible != "" {
				continue // one mode may see what another one can't
			}
			end, values := p.name, steady(p)
			other, ok := first[end]
			if !ok {
				first[end] = telling{mode, p.end.Truth.Cause, values}
				continue
			}
			if other.truth != p.end.Truth.Cause {
				continue
			}
			for field, value := range values {
				if before := other.values[field]; before != "" && value != "" && before != value {
					t.Errorf("%s: %s: %s says %q, %s says %q", end, field, other.mode, before, mode, value)
				}
			}
		}
	}
}

// steady returns what should be the same in each run of a scenario; empty
// is not known.
func steady(p paired) map[string]string {
	t := &p.teardown
	values := map[string]string{
		"verdict": t.Verdict.String(), "cause": t.Cause.String(),
		"initiator": t.Initiator.String(), "terminator": t.Terminator.String(),
		"linger.outcome": t.LingerOutcome.String(), "closer.name": t.Closer.Name,
		"process.name": t.Process.Name, "tcp.role": t.TCP.Role.String(),
	}
	if t.Closer.Call != model.CallUnknown {
		values["closer.call"] = t.Closer.Call.String()
	}
	if t.TCP.FIN.Sent.Is(false) && t.TCP.Path.Has(model.FinWait1) {
		// Whether the FIN left before the retransmissions began is not the same
		// in each run, and with it who sent the first FIN.
		delete(values, "initiator")
	}
	if o := p.end.Truth.Owner; o.PID != 0 && o.Name == "" {
		delete(values, "process.name") // the truth leaves it open: that of a fork, or what it became
	}
	if n, ok := t.TCP.Bytes.Unread.Get(); ok {
		values["tcp.bytes.unread"] = fmt.Sprint(n)
	}
	if p.outcome != nil {
		values["outcome.verdict"] = p.outcome.Verdict.String()
		values["outcome.cause"] = p.outcome.Cause.String()
	}
	return values
}
