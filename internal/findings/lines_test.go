package findings

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func timeAt(t *testing.T, text string) (at model.Time) {
	t.Helper()
	if err := at.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return at
}

// TestWhen: the day is said only if there are two, the end only if it is not the begin.
func TestWhen(t *testing.T) {
	const begin = "2026-11-20T17:00:00Z"
	for _, c := range []struct {
		last    string
		ongoing bool
		share   float64
		want    string
	}{
		{begin, false, 0, "3, 17:00:00"},
		{"2026-11-20T17:00:00.999Z", false, 0, "3, 17:00:00"},
		{"2026-11-20T17:00:01Z", false, 0.25, "3, 17:00:00 - 17:00:01; 25.0 % of connections"},
		{"2026-11-20T17:00:01Z", true, 1, "3, 17:00:00 - 17:00:01, still going on; 100.0 % of connections"},
		{"2026-11-20T17:00:01Z", true, 1.5, "3, 17:00:00 - 17:00:01, still going on"},
		{"2026-11-21T17:00:00Z", false, 0, "3, 2026-11-20 17:00:00 - 2026-11-21 17:00:00"},
		{"2027-11-20T17:00:00Z", false, 0, "3, 2026-11-20 17:00:00 - 2027-11-20 17:00:00"},
	} {
		f := Finding{Count: 3, First: timeAt(t, begin), Last: timeAt(t, c.last), Ongoing: c.ongoing, Share: c.share}
		if got := f.When(nil); got != c.want {
			t.Errorf("until %s: got %q, want %q", c.last, got, c.want)
		}
	}
	f := Finding{Count: 1, First: timeAt(t, begin), Last: timeAt(t, begin)}
	if got := f.When(time.FixedZone("", 3600)); got != "1, 18:00:00" {
		t.Errorf("in another zone: got %q", got)
	}
}

// TestShort: one or two lines, of 100 columns where the width is not known.
func TestShort(t *testing.T) {
	f := Finding{ID: "x", Harm: High, Confidence: model.Inferred, Title: "a\x1b[31mb " + strings.Repeat("word ", 60)}
	for width, most := range map[int]int{0: 100, 59: 100, 60: 60, 80: 80} {
		lines := f.Short(width)
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "! x (high, inferred): a") || !strings.HasPrefix(lines[1], "  word") || !strings.HasSuffix(lines[1], "~") {
			t.Errorf("width %d: got %q", width, lines)
		}
		longest := max(len(lines[0]), len(lines[1]))
		if longest > most || longest < most-10 || strings.Contains(lines[0], "\x1b") {
			t.Errorf("width %d: %d columns, want at most %d: %q", width, longest, most, lines)
		}
	}
	f = Finding{ID: "x", Harm: Low, Confidence: model.Certain, Title: "short"}
	if got := f.Short(80); !slices.Equal(got, []string{"! x (low): short"}) {
		t.Errorf("got %q", got)
	}
}

// TestReportText: an empty line is between two findings, and what is missing is said.
func TestReportText(t *testing.T) {
	at := timeAt(t, "2026-11-20T17:00:00Z")
	one := Finding{ID: "x", Title: "title", Advice: "advice", Count: 2, First: at, Last: at}
	for _, c := range []struct {
		report Report
		want   string
	}{
		{Report{Connections: 1}, "no findings among 1 connection\n"},
		{Report{Connections: 2, Counted: 1}, "no findings among 2 connections and 1 ordinary end that the kernel has only counted\n"},
		{Report{Lost: 3}, "no findings among 0 connections; 3 events were lost, and may have been one\n"},
		{Report{Untracked: 1}, "no findings among 0 connections\n1 connection found no place in memory and are not counted above\n"},
		{
			Report{Findings: []Finding{one, one}, Connections: 2, Lost: 3},
			"1. x: benign  2, 17:00:00\n   title\n   > advice\n\n2. x: benign  2, 17:00:00\n   title\n   > advice\n",
		},
	} {
		var b strings.Builder
		if err := c.report.Text(&b, TextOptions{}); err != nil || b.String() != c.want {
			t.Errorf("got %q, %v, want %q", b.String(), err, c.want)
		}
	}
}

// TestWrapped: text is broken at words, goes on below its begin, and what has no room is cut.
func TestWrapped(t *testing.T) {
	const text = "one two three four five six"
	for most, want := range map[int][]string{
		9: {"> one two", "  three", "  four five", "  six"},
		4: {"> one two", "  three", "  four five", "  six"},
		3: {"> one two", "  three", "  four fiv~"},
		1: {"> one two ~"},
	} {
		if got := wrapped("> ", text, 11, most); !slices.Equal(got, want) {
			t.Errorf("at most %d: got %q, want %q", most, got, want)
		}
	}
}

// TestAdviceWithRoom: advice that fits exactly is whole.
func TestAdviceWithRoom(t *testing.T) {
	f := Finding{ID: "x", Advice: "First do this. Then do that, and the other thing as well, because of reasons."}
	if got := f.advice(60, 2); len(got) != 2 || strings.Contains(strings.Join(got, ""), "explain") {
		t.Errorf("got %q", got)
	}
	if got := f.advice(60, 1); !slices.Equal(got, []string{"   > First do this. (closetrace explain x)"}) {
		t.Errorf("got %q", got)
	}
}

func TestCountsInWords(t *testing.T) {
	for n, want := range map[uint64][5]string{
		0: {"0 ends", "0", "0 times", "they were", "were"}, 1: {"1 end", "1", "once", "it was", "was"}, 2: {"2 ends", "2", "2 times", "they were", "were"},
	} {
		if got := [5]string{plural(n, "end", "ends"), plural(n, "end", ""), times(n), itThey(n), were(n)}; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
