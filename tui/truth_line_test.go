package tui

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/lab/scenariotest"
	"github.com/closetrace/closetrace/model"
)

// lineClaims are the notes of a plain line and when they are true; the arguments are
// what the expression takes out of a note.
var lineClaims = []struct {
	note  *regexp.Regexp
	holds func(h *scenariotest.Truth, args []string) bool
}{
	{regexp.MustCompile(`^unacked (.+)$`), func(h *scenariotest.Truth, a []string) bool {
		return h.Unacked() > 0 && a[0] == human.Bytes(h.Unacked())
	}},
	{regexp.MustCompile(`^unread (.+)$`), func(h *scenariotest.Truth, a []string) bool {
		return h.Unread() > 0 && a[0] == human.Bytes(h.Unread())
	}},
	{regexp.MustCompile(`^close blocked (.+)$`), func(h *scenariotest.Truth, a []string) bool {
		d, known := h.Blocked.Get()
		return known && a[0] == human.Duration(d)
	}},
	{regexp.MustCompile(`^exit$`), func(h *scenariotest.Truth, _ []string) bool { return exited(h) && !h.OtherCloser() }},
	{regexp.MustCompile(`^exit of (\S*)$`), func(h *scenariotest.Truth, a []string) bool { return exited(h) && otherIs(h, a[0]) }},
	{regexp.MustCompile(`^exit signal (\d+) \((SIG\w+)\)$`), func(h *scenariotest.Truth, a []string) bool {
		return a[1] == signals[h.Facts.Closer.Signal] && a[0] == fmt.Sprint(h.Facts.Closer.Signal) && !h.OtherCloser()
	}},
	{regexp.MustCompile(`^exit signal \d+ \((SIG\w+)\) (\S+)$`), func(h *scenariotest.Truth, a []string) bool {
		return a[0] == signals[h.Facts.Closer.Signal] && otherIs(h, a[1])
	}},
	{regexp.MustCompile(`^reset while the other end was open$`), func(h *scenariotest.Truth, _ []string) bool { return h.Facts.Evidence.PeerOpen }},
	{regexp.MustCompile(`^idle (.+)$`), func(h *scenariotest.Truth, a []string) bool {
		d, known := h.Facts.TCP.Idle.Get()
		return known && a[0] == human.Duration(d)
	}},
	{regexp.MustCompile(`^half-closed (.+)$`), func(h *scenariotest.Truth, a []string) bool {
		return a[0] == human.Duration(time.Duration(h.Facts.Evidence.CloseTime-h.Facts.Evidence.FirstFIN))
	}},
	{regexp.MustCompile(`^closed by (\S+)$`), func(h *scenariotest.Truth, a []string) bool {
		return h.Facts.Closer.Call == model.CallClose && otherIs(h, a[0])
	}},
}

// signals are those of the truths, by signal(7).
var signals = map[int]string{9: "SIGKILL", 15: "SIGTERM"}

func exited(h *scenariotest.Truth) bool {
	return h.Facts.Closer.Call == model.CallExit && h.Facts.Closer.Signal == 0
}

func otherIs(h *scenariotest.Truth, who string) bool {
	c := &h.Facts.Closer
	return h.OtherCloser() && who == fmt.Sprintf("%s[%d]", c.Name, c.PID)
}

// plainLine has what a line says before its notes.
var plainLine = regexp.MustCompile(`^\S+ \S ([a-z-]+)(~?) +([a-z0-9-]+) +nginx\[812\] +10.0.0.5:443 +→ 10.0.0.9:51034 +([a-z-]+)/([a-z-]+) +(?:5s +)?7f3a-1c *(.*)$`)

var outcomeNote = regexp.MustCompile(`^\S (later, of|takes back the verdict of) 7f3a-1c *`)

// TestLinesAreTrue checks the last line of every end against what happened.
func TestLinesAreTrue(t *testing.T) {
	for _, p := range scenariotest.Plays(scenariotest.Read(t, "../model/testdata/scenarios")) {
		t.Run(p.Name, func(t *testing.T) {
			h, last := p.Truth, &p.Records[len(p.Records)-1]
			if last.Kind == model.KindOutcome { // the line is of what was found later, not of the whole end
				h.Verdict, h.Cause = last.Teardown.Verdict, last.Teardown.Cause
			}
			line := Line(last, LineOptions{})
			m := plainLine.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("no line is like %q", line)
			}
			inferred := map[bool]string{true: "~"}[h.Confidence == model.Inferred]
			if want := []string{h.Verdict.String(), inferred, h.Cause.String(), h.Initiator.String(), h.Terminator.String()}; strings.Join(m[1:6], " ") != strings.Join(want, " ") {
				t.Errorf("%q, want %q", line, want)
			}
			notes := m[6]
			if o := outcomeNote.FindStringSubmatch(notes); o != nil {
				if (o[1] == "later, of") == p.Retracted || last.Kind != model.KindOutcome {
					t.Errorf("%q, and that is not so", o[0])
				}
				notes = notes[len(o[0]):]
			}
			checkNotes(t, notes, &h)
		})
	}
}

func checkNotes(t *testing.T, notes string, h *scenariotest.Truth) {
	t.Helper()
	for _, note := range strings.Split(notes, ", ") {
		known := note == ""
		for _, c := range lineClaims {
			if m := c.note.FindStringSubmatch(note); m != nil {
				known = true
				if !c.holds(h, m[1:]) {
					t.Errorf("the line says %q, and that is not so: %+v", note, *h)
				}
			}
		}
		if !known {
			t.Errorf("no truth is known for the note %q", note)
		}
	}
	for what, n := range map[string]uint64{"unacked": h.Unacked(), "unread": h.Unread()} {
		if n > 0 && !strings.Contains(notes, what) {
			t.Errorf("%q does not say what is %s: %d", notes, what, n)
		}
	}
}
