package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/ledger/ledgertest"
	"github.com/closetrace/closetrace/tui"
)

// TestNumbersOfMade: the last message about a command, the status of a recording and the
// lines agree with the recording as it was made.
func TestNumbersOfMade(t *testing.T) {
	made := ledgertest.Make(41, 2000)
	want := made.Count(ledgertest.All)
	var ended ledger.Ends
	s := status{ended: &ended}
	later := 0
	for i := range made.Records {
		r := &made.Records[i]
		ended.Add(r)
		s.add(r)
		if strings.Contains(tui.Line(r, tui.LineOptions{}), "later") {
			later++
		}
	}
	if got := ended.ByVerdict(); !maps.Equal(got, want.Verdicts) {
		t.Errorf("stop line: got %v, want %v", got, want.Verdicts)
	}
	causes := map[string]uint64{}
	for how, n := range ended.Counts() {
		causes[how.Cause.String()] += n
	}
	if !maps.Equal(causes, want.Causes) {
		t.Errorf("causes: got %v, want %v", causes, want.Causes)
	}
	got := followSummary("x", "ended", &ended)
	for v, n := range want.Verdicts {
		if part := fmt.Sprintf("%d %s", n, v); !strings.Contains(got, part) {
			t.Errorf("last words %q, want %q in them", got, part)
		}
	}
	if s.total() != want.Ends || s.lost.Total() != made.Lost || s.ends != ended.Verdicts() {
		t.Errorf("status: %d ends, %v, %d lost; want %d, %v, %d", s.total(), s.ends, s.lost.Total(), want.Ends, want.Verdicts, made.Lost)
	}
	if outcomes := len(made.Records) - 1 - int(want.Ends); later == 0 || later > outcomes {
		t.Errorf("%d lines say later, of %d outcomes and losses", later, outcomes)
	}
}
