package findings_test

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/findings"
)

// TestWhole: title, advice and filter are complete at every width.
func TestWhole(t *testing.T) {
	words := strings.Repeat("word ", 80)
	f := findings.Finding{
		ID: "x", Title: "title " + words + "end-of-title", Advice: words + "end-of-advice",
		Filter: `process.name == "nginx"`, Count: 3, Share: 0.25,
	}
	for _, width := range []int{60, 80, 200} {
		text := strings.Join(f.Lines(1, findings.TextOptions{Width: width}), "\n")
		for _, want := range []string{"--filter", "end-of-title", "end-of-advice", "% of connections"} {
			if !strings.Contains(text, want) {
				t.Errorf("width %d: no %q in\n%s", width, want, text)
			}
		}
		if got := strings.Count(text, "word"); got != 160 {
			t.Errorf("width %d: %d words in\n%s\nwant 160", width, got, text)
		}
	}
}
