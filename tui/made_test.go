package tui

import (
	"regexp"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger/ledgertest"
)

// TestNumbersOfMade: the header and the grouped views show the numbers of the
// recording as it was made, with a query and without.
func TestNumbersOfMade(t *testing.T) {
	made := ledgertest.Make(31, 900)
	want := made.Count(ledgertest.All)
	r := newRig(t, 200, 60, made.Records, nil)
	has := func(pattern string, parts ...string) {
		t.Helper()
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		if !regexp.MustCompile(pattern + strings.Join(parts, `\s+`) + `\b`).MatchString(r.text()) {
			t.Errorf("the screen has no %v:\n%s", parts, r.text())
		}
	}
	header := func(verdicts map[string]uint64) {
		t.Helper()
		for v, n := range verdicts {
			has("", v, human.Count(n))
		}
	}
	has("", human.Count(want.Ends), "ends")
	has("MISSED ", human.Count(made.Lost))
	header(want.Verdicts)
	r.press("3")
	for c, n := range want.Causes {
		has(`(?m)^.?\s*`, c, human.Count(n))
	}
	r.press("4")
	for name, c := range want.Processes {
		has(`(?m)^.?\s*`, name, human.Count(c.Ends))
	}
	r.press("5")
	for name, c := range want.Peers {
		has(`(?m)^.?\s*`, name, human.Count(c.Ends))
	}
	r.press("2", "f")
	r.typed(`process.name == "gunicorn"`)
	r.press("enter")
	header(want.Processes["gunicorn"].Verdicts)
}
