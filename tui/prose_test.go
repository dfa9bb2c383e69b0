package tui

import (
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestProse: each text has all its words in lines that are no wider than asked
// for and as full as can be; commands stay as they are.
func TestProse(t *testing.T) {
	for _, width := range []int{30, 58, 80, 120} {
		for _, c := range model.Causes() {
			for _, s := range model.Explain(c).Sections {
				blocks := s.Blocks()
				lines := Prose(blocks, width)
				for _, command := range strings.Split(blocks[len(blocks)-1].Code, "\n") {
					if !slices.Contains(lines, strings.TrimRight("    "+command, " ")) && command != "" {
						t.Errorf("%v, width %d: no line with the command %q", c, width, command)
					}
				}
				var words []string
				for i, line := range lines {
					words = append(words, strings.Fields(strings.TrimPrefix(line, "- "))...)
					if code := strings.HasPrefix(line, "    "); code || line == "" {
						continue
					}
					if len(line) > width && strings.Contains(strings.TrimSpace(line), " ") {
						t.Errorf("%v: %d columns of %d: %q", c, len(line), width, line)
					}
					if i+1 < len(lines) && lines[i+1] != "" && !strings.HasPrefix(lines[i+1], "- ") {
						next, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " ")
						if next, _, _ = strings.Cut(next, "-"); len(line)+1+len(next) < width {
							t.Errorf("%v, width %d: %q has room for %q", c, width, line, next)
						}
					}
				}
				if got, want := strings.Join(words, ""), withoutBlanks(blocks); got != want {
					t.Errorf("%v, width %d: got\n%s\nwant\n%s", c, width, got, want)
				}
			}
		}
	}
}

// withoutBlanks: a long word may be broken, or at a hyphen.
func withoutBlanks(blocks []model.Block) string {
	var b strings.Builder
	for _, block := range blocks {
		for _, text := range append([]string{block.Paragraph, block.Code}, block.Items...) {
			b.WriteString(strings.Join(strings.Fields(text), ""))
		}
	}
	return b.String()
}
