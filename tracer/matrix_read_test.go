//go:build linux

package tracer_test

import (
	"os"
	"strings"
	"testing"
)

// readMatrix returns the cells of a document that matrixText wrote, without their groups,
// so that one kernel can be played anew and the others kept.
func readMatrix(text string) (cells []cell) {
	notes := map[string]string{}
	for line := range strings.Lines(text) {
		if mark, note, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "- "), ": "); found && strings.HasPrefix(line, "- ") {
			notes[mark] = note
		}
	}
	results := map[string]string{}
	for result, sign := range signs {
		results[sign] = result
	}
	_, table, _ := strings.Cut(text, "| scenario |")
	var heads []string
	for line := range strings.Lines(table) {
		fields := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch {
		case heads == nil:
			heads = fields
			continue
		case len(fields) != len(heads)+1 || strings.HasPrefix(fields[0], "---"):
			continue
		}
		for i, head := range heads {
			kernel, mode, _ := strings.Cut(strings.TrimSpace(head), "<br>")
			marks := strings.Fields(fields[i+1])
			if len(marks) == 0 {
				continue // not played there
			}
			c := cell{Kernel: kernel, Mode: mode, Scenario: strings.TrimSpace(fields[0]), Result: results[marks[0]]}
			for _, mark := range marks[1:] {
				if field, _, letter := strings.Cut(strings.TrimPrefix(notes[mark], "`"), "`: "); letter && mark >= "a" {
					c.Untold = append(c.Untold, field)
				} else {
					c.Reason = notes[mark]
				}
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// TestMatrixIsGenerated: nobody wrote into docs/matrix.md by hand, and readMatrix loses
// nothing.
func TestMatrixIsGenerated(t *testing.T) {
	text, err := os.ReadFile("../docs/matrix.md")
	if err != nil {
		t.Skip(err) // in a guest
	}
	if got := matrixText(readMatrix(string(text))); got != string(text) {
		t.Error("docs/matrix.md is not what make matrix writes")
	}
}
