package findings_test

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/findings"
)

// TestWhole: in a pipe title, advice and filter are complete, each in a line. On a terminal a
// finding has six lines at most, and says where the rest of its advice is.
func TestWhole(t *testing.T) {
	words := strings.Repeat("word ", 80)
	f := findings.Finding{
		ID: "x", Title: "title " + words + "end-of-title", Advice: "First, the cause. Second, " + words + "end-of-advice",
		Filter: `process.name == "nginx"`, Count: 3, Share: 0.25,
	}
	whole := f.Lines(1, findings.TextOptions{})
	text := strings.Join(whole, "\n")
	for _, want := range []string{"--filter", "end-of-title", "end-of-advice", "% of connections"} {
		if !strings.Contains(text, want) || len(whole) != 4 {
			t.Errorf("in a pipe: %d lines without %q:\n%s", len(whole), want, text)
		}
	}
	for _, advice := range []string{f.Advice, "First, the cause, " + words, words} {
		for _, width := range []int{30, 60, 80, 200} {
			f.Advice = advice
			lines := f.Lines(1, findings.TextOptions{Width: width})
			text := strings.Join(lines, "\n")
			cut := strings.HasPrefix(advice, "First") && !strings.Contains(text, "First, the cause. (closetrace explain x)") &&
				!strings.Contains(text, "First, the cause, (closetrace explain x)") && width < 200
			if len(lines) > 6 || cut || !strings.Contains(text, "--filter") {
				t.Errorf("width %d: %d lines\n%s", width, len(lines), text)
			}
		}
	}
}
