package summary

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger/ledgertest"
	"github.com/closetrace/closetrace/model"
)

// TestCountsOfMade: all numbers of a summary, and of its text and of a diff, are
// those of the recording as it was made, whichever part of it is summed up.
func TestCountsOfMade(t *testing.T) {
	for seed := range uint64(5) {
		made := ledgertest.Make(seed, 2000)
		n := len(made.Records)
		whole := sumOf(made, 0, n)
		for _, part := range [][2]int{{0, n}, {0, n / 2}, {n / 2, n}, {n / 3, n / 2}} {
			s := sumOf(made, part[0], part[1])
			want := made.Count(func(i int) bool { return i >= part[0] && i < part[1] })
			t.Run(fmt.Sprint(seed, part), func(t *testing.T) {
				checkMade(t, s, want)
				checkDiff(t, Compare(whole, s), made.Count(ledgertest.All), want)
			})
		}
		if got := whole.Lost.Total(); got != made.Lost {
			t.Errorf("lost %d events, want %d", got, made.Lost)
		}
	}
}

func sumOf(made *ledgertest.Recording, from, to int) *Summary {
	s := New()
	for i := from; i < to; i++ {
		s.Add(&made.Records[i])
	}
	return s
}

func checkMade(t *testing.T, s *Summary, want *ledgertest.Counts) {
	e := s.Export(100)
	same := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) { // maps are printed in the order of their keys
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	same("ends", e.Teardowns, want.Ends)
	same("verdicts", e.Verdicts, want.Verdicts)
	same("lost", e.BytesLost, want.Lost)
	same("ends that lost", e.EndsThatLost, want.Lossy)
	same("inferred", e.Inferred, want.Inferred)
	same("retracted", e.Retracted, want.Retracted)
	causes, badByCause, lostByCause, timed, timedLoss := map[string]uint64{}, uint64(0), uint64(0), map[string]uint64{}, uint64(0)
	for _, c := range e.Causes {
		causes[c.Cause.String()] = c.Teardowns
		badByCause += c.Teardowns - c.Verdicts["graceful"]
		lostByCause += c.BytesLost
	}
	for _, b := range s.Timeline.Buckets() {
		timedLoss += b.Lost
		for v, n := range b.Verdicts {
			if n > 0 {
				timed[model.Verdict(v).String()] += uint64(n)
			}
		}
	}
	same("causes", causes, want.Causes)
	same("lost by cause", lostByCause, want.Lost)
	same("timeline", timed, want.Verdicts)
	same("lost in the timeline", timedLoss, want.Lost)
	same("not graceful", s.Total.Bad(), want.Ends-want.Verdicts["graceful"])
	same("not graceful, by cause", badByCause, want.Ends-want.Verdicts["graceful"])
	checkGroups(t, e.Processes, want.Processes, func(g *Group) string { return g.Process })
	checkGroups(t, e.Peers, want.Peers, func(g *Group) string { return g.Peer })
	aborted := uint64(0)
	for _, g := range e.Aborted {
		aborted += g.Teardowns
	}
	same("aborted", aborted, want.Verdicts["abortive"]+want.Verdicts["linger-timeout"])
	checkText(t, s, want)
}

func checkGroups(t *testing.T, got []Group, want map[string]*ledgertest.Counts, name func(*Group) string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d groups, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := &got[i], want[name(&got[i])]
		if w == nil || g.Teardowns != w.Ends || g.BytesLost != w.Lost || !maps.Equal(g.Verdicts, w.Verdicts) {
			t.Errorf("group: got %+v, want %+v", g, w)
		}
	}
}

// checkText looks for the numbers in the words of the text.
func checkText(t *testing.T, s *Summary, want *ledgertest.Counts) {
	t.Helper()
	var out bytes.Buffer
	if err := s.Text(&out, TextOptions{Rows: 20}); err != nil {
		t.Fatal(err)
	}
	has := func(fields ...string) {
		t.Helper()
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(strings.Join(strings.Fields(line), " "), strings.Join(fields, " ")) {
				return
			}
		}
		t.Errorf("no line begins with %v:\n%s", fields, &out)
	}
	has(human.Count(want.Ends) + " connection ends")
	for v, n := range want.Verdicts {
		has(v, human.Count(n))
	}
	for name, c := range want.Processes {
		has(name, human.Count(c.Ends), human.Count(c.Verdicts["graceful"]), human.Count(c.Verdicts["abortive"]))
		for line := range strings.Lines(out.String()) { // the next cell is who aborted: see TestWhoAborted
			if f := strings.Fields(line); len(f) > 6 && f[0] == name && f[1] == human.Count(c.Ends) {
				same := f[5] == human.Count(c.Verdicts["linger-timeout"]) && f[6] == human.Count(c.Verdicts["failed-open"])
				if !same {
					t.Errorf("got %q, want linger %d, failed %d", line, c.Verdicts["linger-timeout"], c.Verdicts["failed-open"])
				}
			}
		}
	}
	has(human.Bytes(want.Lost), "lost by "+human.Count(want.Lossy)+" ends")
}

func checkDiff(t *testing.T, c *Comparison, before, after *ledgertest.Counts) {
	t.Helper()
	n := 0
	for _, list := range [][]Change{c.Verdicts, c.Causes} {
		for _, change := range list {
			was, is := before.Causes[change.Cause], after.Causes[change.Cause]
			if change.Verdict != "" {
				was, is = before.Verdicts[change.Verdict], after.Verdicts[change.Verdict]
			}
			if change.Before != was || change.After != is || change.ShareBefore != ratio(was, before.Ends) || change.ShareAfter != ratio(is, after.Ends) {
				t.Errorf("got %+v, want %d of %d and %d of %d", change, was, before.Ends, is, after.Ends)
			}
			n++
		}
	}
	union := map[string]bool{}
	for _, m := range []map[string]uint64{before.Verdicts, before.Causes, after.Verdicts, after.Causes} {
		kind := "verdict " // "unknown" is the name of one and of the other
		if m["fin"] > 0 {
			kind = "cause "
		}
		for name := range m {
			union[kind+name] = true
		}
	}
	if n != len(union) {
		t.Errorf("%d verdicts and causes, want %v", n, union)
	}
	for _, change := range c.Processes {
		if was, is := before.Processes[change.Process], after.Processes[change.Process]; change.Before != was.Ends || change.After != is.Ends {
			t.Errorf("got %+v, want %d and %d", change, was.Ends, is.Ends)
		}
	}
	whys := uint64(0)
	for _, change := range c.Whys {
		whys += change.After
	}
	if want := after.Ends - after.Causes["fin"]; whys != want {
		t.Errorf("%d ends by process and cause, want %d", whys, want)
	}
}

func ratio(n, of uint64) float64 { return float64(n) / float64(of) }
