package summary

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/lab/scenariotest"
	"github.com/closetrace/closetrace/model"
)

// ends are what really happened to those that a text sums up.
type ends []scenariotest.Truth

func (e ends) count(is func(*scenariotest.Truth) bool) string {
	n := 0
	for i := range e {
		if is(&e[i]) {
			n++
		}
	}
	return strconv.Itoa(n)
}

func (e ends) lost(is func(*scenariotest.Truth) bool) string {
	n := uint64(0)
	for i := range e {
		if is(&e[i]) {
			n += e[i].Unacked() + e[i].Unread()
		}
	}
	return human.Bytes(n)
}

func all(*scenariotest.Truth) bool { return true }

func verdict(name string) func(*scenariotest.Truth) bool {
	return func(h *scenariotest.Truth) bool { return h.Verdict.String() == name }
}

func losing(h *scenariotest.Truth) bool { return h.Unacked()+h.Unread() > 0 }

func badly(h *scenariotest.Truth) bool {
	return h.Verdict == model.Abortive || h.Verdict == model.LingerTimeout
}

func named(name string) func(*scenariotest.Truth) bool {
	return func(h *scenariotest.Truth) bool { return h.Cause.String() == name }
}

const (
	size = `(\d[\d.]* [kM]?B)`
	rest = ` +(\d+) +(\d+) +(\d+) +([\d/]+) +(\d+) +(\d+) +` + size
)

// sentences are what a text of a summary says, and when it is true. Every line is one
// of them, apart from headings.
var sentences = []struct {
	line  *regexp.Regexp
	holds func(e ends, a []string) bool
}{
	{regexp.MustCompile(`^2026-09-21 14:13:20 - 14:13:20 UTC \(0ns\)$`), func(ends, []string) bool { return true }},
	{regexp.MustCompile(`^(\d+) connection ends?((?:; .+)?)$`), headIsTrue},
	{regexp.MustCompile(`^([a-z-]+) +(\d+) +([\d.]+)  .$`), func(e ends, a []string) bool {
		return a[1] == e.count(verdict(a[0])) && a[2] == percentOf(a[1], len(e))
	}},
	{regexp.MustCompile(`^([a-z0-9-]+) +(\d+) +([\d.]+) +` + size + `$`), func(e ends, a []string) bool {
		bad := func(h *scenariotest.Truth) bool { return named(a[0])(h) && h.Verdict != model.Graceful }
		return a[1] == e.count(bad) && a[2] == percentOf(a[1], len(e)) && a[3] == e.lost(bad)
	}},
	{regexp.MustCompile(`^(?:nginx|10\.0\.0\.9)` + rest + `$`), func(e ends, a []string) bool { return groupIsTrue(e, all, a) }},
	{regexp.MustCompile(`^nginx:443 ← 10\.0\.0\.9 +(\d+) +([\d/]+) +(\d+) +` + size + `$`), func(e ends, a []string) bool {
		return a[0] == e.count(badly) && a[1] == whoAborted(e) && a[2] == e.count(verdict("linger-timeout")) && a[3] == e.lost(badly)
	}},
	{regexp.MustCompile(`^duration +(\d+) +5s +5s +5s +5s +5s$`), func(e ends, a []string) bool { return a[0] == e.count(all) }},
	{regexp.MustCompile(`^close\(\) blocked +(\d+) .* (\S+)$`), func(e ends, a []string) bool {
		longest := time.Duration(0)
		for i := range e {
			longest = max(longest, e[i].Blocked.Or(0))
		}
		waited := func(h *scenariotest.Truth) bool { return h.Blocked.Known() }
		return a[0] == e.count(waited) && a[1] == human.Duration(longest)
	}},
	{regexp.MustCompile(`^closed by exit, signal or another process: (.+)$`), closersAreTrue},
	{regexp.MustCompile(`^` + size + ` lost by (\d+) ends?: unread, or not acknowledged \(may have arrived\)$`), func(e ends, a []string) bool {
		return a[1] == e.count(losing) && a[0] == e.lost(all)
	}},
}

var headings = regexp.MustCompile(`^$|^verdict +ends +%  over time$|^cause, not graceful +ends +% +bytes lost$|^(process|peer) +ends +graceful +abort +us/peer/kern +linger +failed +lost$|^aborted most +ends +us/peer/kern +linger +lost$|^time +ends +median`)

func percentOf(n string, of int) string {
	part, _ := strconv.ParseFloat(n, 64)
	return fmt.Sprintf("%.1f", 100*part/float64(of))
}

// whoAborted is the cell of who aborted, by the truth.
func whoAborted(e ends) string {
	var us, peer, kernel int
	for i := range e {
		switch h := &e[i]; {
		case h.Verdict != model.Abortive:
		case h.Terminator == model.LocalApp:
			us++
		case h.Terminator == model.Peer:
			peer++
		default:
			kernel++
		}
	}
	if us+peer+kernel == 0 {
		return "0"
	}
	return fmt.Sprintf("%d/%d/%d", us, peer, kernel)
}

func groupIsTrue(e ends, of func(*scenariotest.Truth) bool, a []string) bool {
	if a[3] != whoAborted(e) {
		return false
	}
	a = slices.Delete(slices.Clone(a), 3, 4)
	for i, is := range []func(*scenariotest.Truth) bool{all, verdict("graceful"), verdict("abortive"), verdict("linger-timeout"), verdict("failed-open")} {
		if a[i] != e.count(func(h *scenariotest.Truth) bool { return of(h) && is(h) }) {
			return false
		}
	}
	return a[5] == e.lost(of)
}

var headParts = regexp.MustCompile(`^(\d+) (inferred|amended by later evidence|linger timeouts taken back)$`)

func headIsTrue(e ends, a []string) bool {
	facts := map[string]func(*scenariotest.Truth) bool{
		"inferred":                   func(h *scenariotest.Truth) bool { return h.Confidence == model.Inferred },
		"amended by later evidence":  func(h *scenariotest.Truth) bool { return h.Amended },
		"linger timeouts taken back": func(h *scenariotest.Truth) bool { return h.Retracted },
	}
	for _, part := range strings.Split(strings.TrimPrefix(a[1], "; "), "; ") {
		if m := headParts.FindStringSubmatch(part); part != "" && (m == nil || m[1] != e.count(facts[m[2]])) {
			return false
		}
	}
	return a[0] == e.count(all)
}

var closing = regexp.MustCompile(`^(exit signal \d+ \((?P<signal>\w+)\)|exit|closed by another process) (.+) (\d+)$`)

// closersAreTrue: who is named is the closer, never the owner in its place.
func closersAreTrue(e ends, a []string) bool {
	for _, part := range strings.Split(a[0], ", ") {
		if part == "and more" && len(strings.Split(a[0], ", ")) == 6 {
			continue
		}
		m := closing.FindStringSubmatch(part)
		if m == nil || m[4] != e.count(func(h *scenariotest.Truth) bool { return closedSo(h, m) }) {
			return false
		}
	}
	return true
}

func closedSo(h *scenariotest.Truth, m []string) bool {
	c := &h.Facts.Closer
	name := c.Name
	if name == "" {
		name = fmt.Sprintf("pid %d", c.PID)
	}
	if m[3] != name {
		return false
	}
	switch m[1] {
	case "exit":
		return c.Call == model.CallExit && c.Signal == 0
	case "closed by another process":
		return c.Call == model.CallClose && h.OtherCloser()
	}
	return c.Call == model.CallExit && m[2] == map[int]string{9: "SIGKILL", 15: "SIGTERM"}[c.Signal]
}

// TestTextIsTrue sums up each scenario, each end that something later or someone else
// changed, and all of them together.
func TestTextIsTrue(t *testing.T) {
	plays := scenariotest.Plays(scenariotest.Read(t, "../../model/testdata/scenarios"))
	for i := range plays {
		t.Run(plays[i].Name, func(t *testing.T) { checkSentences(t, plays[i:i+1]) })
	}
	t.Run("all", func(t *testing.T) { checkSentences(t, plays) })
}

func checkSentences(t *testing.T, plays []scenariotest.Played) {
	t.Helper()
	s, truths := New(), ends{}
	for i := range plays {
		truths = append(truths, plays[i].Truth)
		for _, r := range plays[i].Records {
			r.Teardown.ID, r.Teardown.Time = fmt.Sprint("end-", i), plays[0].Facts.Time
			s.Add(&r)
		}
	}
	var out bytes.Buffer
	if err := s.Text(&out, TextOptions{Rows: 40, Width: 300}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		known := headings.MatchString(line)
		for _, c := range sentences {
			if m := c.line.FindStringSubmatch(line); m != nil && !headings.MatchString(line) {
				known = true
				if !c.holds(truths, m[1:]) {
					t.Errorf("the summary says %q, and that is not so: %+v", line, truths[0].Facts)
				}
			}
		}
		if !known {
			t.Errorf("no truth is known for %q", line)
		}
	}
	if lost := strings.Contains(out.String(), " lost by "); lost != (truths.count(losing) != "0") {
		t.Errorf("bytes lost are told: %v, of %s ends", lost, truths.count(losing))
	}
}
