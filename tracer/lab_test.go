//go:build linux

package tracer_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// What the tests of both packages use.
var (
	required = sourcetest.Required
	open     = tracer.OpenOrSkip
	collect  = sourcetest.RecordWhile
)

// labRun is the lab, seen by one mode.
type labRun struct {
	results  []lab.Result
	touched  []lab.Result // those of the tries of which something was hidden
	records  []model.Record
	findings []lab.Finding
	capture  tracer.Capture
	misses   map[string]uint64
	hidden   uint64 // events that no program was shown
}

// problems is what is wrong, in lines.
type problems []string

func (p *problems) addf(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

func (p problems) report(t *testing.T) {
	t.Helper()
	for _, line := range p {
		t.Error(line)
	}
}

func runLab(t *testing.T, tr *tracer.Tracer, scenarios []lab.Scenario) labRun {
	t.Helper()
	var run labRun
	var runErr error
	var several sync.Mutex
	hidden := watchHidden(t)
	messages := tr.Record()
	run.records = collect(t, tr, func() {
		run.results, runErr = lab.RunAgain(t.Context(), scenarios, 8, func(r *lab.Result) bool {
			touched := hidden.touch(r)
			if touched {
				t.Logf("%s: once more: some of it was hidden", r.Name)
				several.Lock()
				run.touched = append(run.touched, *r)
				several.Unlock()
			}
			return touched
		})
		run.misses = tr.Misses()
	})
	run.hidden = hidden.events()
	if runErr != nil {
		t.Fatalf("run lab: %v", runErr)
	}
	run.findings = lab.Compare(run.results, run.records)
	run.capture = tr.Capture(*messages, run.results)
	return run
}

// TestLab checks what each mode reports of every scenario against its truth,
// and the modes against each other.
func TestLab(t *testing.T) {
	runs := map[tracer.Mode]labRun{}
	for _, mode := range labModes() {
		t.Run(string(mode), func(t *testing.T) {
			runs[mode] = labOf(t, mode)
		})
	}
	checkAgreement(t, runs)
	if file := os.Getenv("CLOSETRACE_MATRIX"); file != "" {
		writeMatrix(t, file, runs)
	}
}

// labModes leaves out Raw, which runs the programs of Tracepoint once more, but for the
// matrix and where CLOSETRACE_RAW is set.
func labModes() []tracer.Mode {
	if os.Getenv("CLOSETRACE_MATRIX") != "" || os.Getenv("CLOSETRACE_RAW") != "" {
		return tracer.Modes()
	}
	return tracer.TypedModes()
}

// labOf plays the lab. Only the scenarios of which the host hid something are played
// again; a wrong verdict of the first try must not have been certain.
func labOf(t *testing.T, mode tracer.Mode) labRun {
	t.Helper()
	tr := open(t, tracer.Options{Mode: mode})
	keepBusy(t)
	run := runLab(t, tr, lab.Scenarios())
	tr.Close()
	checkRun(t, run).report(t)
	checkBlocked(run).report(t)
	checkHooked(run).report(t)
	checkWitnesses(run).report(t)
	checkAnyOrder(&run.capture, 1).report(t)
	checkLosses(&run.capture, 1).report(t)
	if len(run.misses) > 0 {
		t.Logf("the kernel skipped programs: %v", run.misses)
	}
	if file := os.Getenv("CLOSETRACE_CAPTURE"); file != "" {
		if err := run.capture.WriteTo(file + "-" + string(mode) + ".json.gz"); err != nil {
			t.Errorf("write capture: %v", err)
		}
	}
	return run
}

// keepBusy starts as many processes that want a processor all the time as
// CLOSETRACE_BUSY says.
func keepBusy(t *testing.T) {
	t.Helper()
	count, _ := strconv.Atoi(os.Getenv("CLOSETRACE_BUSY"))
	for range count {
		cmd := command("spin")
		if err := cmd.Start(); err != nil {
			t.Fatalf("start a process that keeps a processor busy: %v", err)
		}
		t.Cleanup(func() { cmd.Wait() })
		t.Cleanup(func() { cmd.Process.Kill() })
	}
}

// spin keeps a processor busy for nearly as long as a role may last.
func spin() error {
	for start := time.Now(); time.Since(start) < 170*time.Second; {
	}
	return nil
}

// unseen says why a field that is known to be true is not reported.
var unseen = map[string]string{
	"tcp.fin.received":         "TIME_WAIT took over: the peer's FIN, if it comes, is seen by nobody",
	"outcome.tcp.fin.received": "the same, after the linger time",
	"tcp.fin.sent":             "while close() waits, the FIN may be queued behind data",
	"close_blocked_ns":         "tracepoints don't show when a signal ended the wait of close()",
	"closer.call":              "shutdown() and connect(AF_UNSPEC) both end in tcp_disconnect()",
	"tcp.time_wait":            "as many are there as may be, and this may have been the last",
	"closer.name":              "a kernel thread closed it",
	"process.pid":              "no process was seen with the socket",
	"process.name":             "no process was seen with the socket",
}

// checkRun checks a run against its truths.
func checkRun(t *testing.T, run labRun) (found problems) {
	t.Helper()
	ends := 0
	for _, r := range run.results {
		switch {
		case r.Error != "":
			found.addf("%s: the lab itself failed: %s", r.Name, r.Error)
		case r.Skipped != "":
			t.Logf("%s: skipped: %s", r.Name, r.Skipped)
		default:
			ends += len(r.Ends)
		}
	}
	for _, f := range run.findings {
		switch {
		case f.Field == "close_blocked_ns" && f.Kind == lab.Wrong: // see checkBlocked
		case f.Kind == lab.Absent && unseen[f.Field] != "":
		case f.Kind == lab.Absent && f.Field == "stray-reset" && !run.showsStrays(f):
		default:
			found.addf("%v%s", f, explain(run, f))
		}
	}
	for _, f := range lab.Compare(run.touched, run.records) {
		if f.Certain {
			found.addf("%v, though some of it was hidden", f)
		}
	}
	lost := map[string]uint64{}
	for _, r := range run.records {
		if r.Kind == model.KindLoss {
			lost[r.Loss.Where] += r.Loss.Count
		}
	}
	for where, n := range lost {
		if where != "hook" || n > run.hidden {
			found.addf("lost %d messages: %s", n, where)
		}
	}
	t.Logf("%d scenarios, %d ends; %d events were hidden", len(run.results), ends, run.hidden)
	return found
}

const noStrays = "before Linux 6.10 the tracepoint of a sent reset does not fire where there is no socket"

// showsStrays: see noStrays.
func (run *labRun) showsStrays(f lab.Finding) bool {
	if run.capture.Mode.SeesFunctions() || len(run.capture.Reasons) > 0 {
		return true
	}
	for _, r := range run.results {
		for _, s := range r.Strays {
			if r.Name == f.Scenario && s.Listener {
				return true
			}
		}
	}
	return false
}

// checkHooked: hooks in functions show what tracepoints do not.
func checkHooked(run labRun) (found problems) {
	for _, p := range pair(run.results, run.records) {
		if p.end.Hooked && p.end.Truth.Outcome != nil && p.outcome == nil && run.capture.Mode.SeesFunctions() {
			found.addf("%s: no outcome", p.name)
		}
	}
	return found
}

// explain shows the kernel's messages about the scenario of a finding.
func explain(run labRun, f lab.Finding) string {
	var text strings.Builder
	for _, r := range run.results {
		if r.Name != f.Scenario || r.Error != "" {
			continue
		}
		for _, raw := range run.capture.Messages {
			line := tracer.Describe(raw)
			if strings.Contains(line, fmt.Sprintf(" netns %d ", r.NetNS)) && text.Len() < 2000 {
				text.WriteString("\n\t" + line)
			}
		}
	}
	return text.String()
}

// checkBlocked: how long close() blocked is right within 20 ms or 5 %, in the
// median of the scenarios: the machine is busy, and the truth is what the calling
// thread saw when it ran again. Calls of one scenario may all be late together.
func checkBlocked(run labRun) (found problems) {
	calls := map[string][]time.Duration{}
	for _, p := range pair(run.results, run.records) {
		want, known := p.end.Truth.Blocked.Get()
		got, seen := p.teardown.CloseBlocked.Get()
		if known && seen {
			scenario, _, _ := strings.Cut(p.name, " ")
			wrong := max(got-want, want-p.end.Truth.Late-got)
			calls[scenario] = append(calls[scenario], max(0, wrong-max(20*time.Millisecond, want/20)))
		}
	}
	var off []time.Duration
	for _, of := range calls {
		off = append(off, median(of))
	}
	if len(off) == 0 {
		found.addf("no close() was seen to block")
	} else if typical := median(off); typical > 0 {
		found.addf("the times for which close() blocked are wrong by %v beyond the tolerance", typical)
	}
	return found
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// paired is an end with its final records.
type paired struct {
	name     string // of the scenario and the end
	end      lab.End
	teardown model.Teardown
	outcome  *model.Teardown
}

// pair finds the records of each end whose tuple is used once.
func pair(results []lab.Result, records []model.Record) []paired {
	type key struct {
		netns       uint32
		local, peer string
	}
	outcomes := map[string]*model.Record{}
	teardowns := map[key][]*model.Record{}
	for i := range records {
		r := &records[i]
		n := r.Teardown.Network
		switch r.Kind {
		case model.KindTeardown:
			k := key{n.NetNS, n.Local.AddrPort().String(), n.Peer.AddrPort().String()}
			teardowns[k] = append(teardowns[k], r)
		case model.KindOutcome:
			outcomes[r.Teardown.ID] = r
		default:
		}
	}
	var pairs []paired
	for _, r := range results {
		for i, e := range r.Ends {
			found := teardowns[key{r.NetNS, e.Local.String(), e.Peer.String()}]
			if len(found) != 1 || r.Error != "" {
				continue
			}
			p := paired{name: fmt.Sprintf("%s %s (%d)", r.Name, e.Label, i), end: e, teardown: found[0].Teardown}
			if o := outcomes[p.teardown.ID]; o != nil && o.Retracts {
				p.teardown = o.Teardown
			} else if o != nil {
				p.outcome = &o.Teardown
			}
			pairs = append(pairs, p)
		}
	}
	return pairs
}
