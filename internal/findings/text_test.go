package findings_test

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/findings"
)

// TestWhole: on a terminal a finding has at most six lines, and what does not fit is cut.
// In a pipe it is complete.
func TestWhole(t *testing.T) {
	words := strings.Fields(strings.Repeat("word ", 80))
	f := findings.Finding{
		ID: "x", Title: "title " + strings.Join(words, " ") + " end-of-title", Advice: strings.Join(words, " ") + " end-of-advice",
		Filter: `process.name == "nginx"`, Count: 3, Share: 0.25,
	}
	for _, test := range []struct {
		whole bool
		want  []string
		lack  []string
	}{
		{false, []string{"--filter", "25"}, []string{"end-of-title", "end-of-advice"}},
		{true, []string{"--filter", "end-of-title", "end-of-advice", "% of connections"}, nil},
	} {
		lines := f.Lines(1, findings.TextOptions{Width: 80, Whole: test.whole})
		text := strings.Join(lines, "\n")
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("whole %v: no %q in\n%s", test.whole, want, text)
			}
		}
		for _, lack := range test.lack {
			if strings.Contains(text, lack) {
				t.Errorf("whole %v: %q was to be cut from\n%s", test.whole, lack, text)
			}
		}
		if !test.whole && len(lines) > 6 {
			t.Errorf("%d lines, want at most 6", len(lines))
		}
		if got := strings.Count(text, "word"); test.whole && got != 160 {
			t.Errorf("%d words in\n%s\nwant 160", got, text)
		}
	}
}
