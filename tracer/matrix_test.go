//go:build linux

package tracer_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/tracer"
)

// cell is what one mode on one kernel makes of one scenario.
type cell struct {
	Kernel   string `json:"kernel"`
	Mode     string `json:"mode"`
	Scenario string `json:"scenario"`
	Group    string `json:"group"`
	Result   string `json:"result"` // right, wrong, not visible, not possible
	Reason   string `json:"reason,omitempty"`
	// Untold are true facts that are not reported, though the verdict is right.
	Untold []string `json:"untold,omitempty"`
}

// writeMatrix adds the lines of this kernel to a file.
func writeMatrix(t *testing.T, file string, runs map[tracer.Mode]labRun) {
	t.Helper()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	lines := json.NewEncoder(out)
	for _, mode := range tracer.Modes() {
		run := runs[mode]
		for i := range run.results {
			c := cellOf(&run, &run.results[i])
			c.Kernel, c.Mode = kernelName(run.capture.Kernel), string(mode)
			if err := lines.Encode(c); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// kernelName leaves out what is the packager's, and names the architecture unless it is
// amd64.
func kernelName(release string) string {
	version, _, _ := strings.Cut(release, "-")
	if runtime.GOARCH != "amd64" {
		version += "/" + runtime.GOARCH
	}
	return version
}

func cellOf(run *labRun, r *lab.Result) cell {
	c := cell{Scenario: r.Name, Group: r.Group, Result: "right"}
	switch {
	case r.Skipped != "":
		c.Result, c.Reason = "not possible", r.Skipped
	case r.Error != "":
		c.Result, c.Reason = "wrong", r.Error
	}
	for _, e := range r.Ends {
		if e.Invisible != "" && c.Result == "right" && (!e.Hooked || !run.capture.Mode.SeesFunctions()) {
			c.Result, c.Reason = "not visible", e.Invisible
		}
	}
	for _, f := range run.findings {
		switch {
		case f.Scenario != r.Name || f.Field == "close_blocked_ns" && f.Kind == lab.Wrong:
		case f.Kind == lab.Absent && unseen[f.Field] != "":
			c.Untold = append(c.Untold, f.Field)
		case f.Kind == lab.Absent && f.Field == "stray-reset" && !run.showsStrays(f):
			c.Result, c.Reason = "not visible", noStrays
		default:
			c.Result, c.Reason = "wrong", f.String()
		}
	}
	slices.Sort(c.Untold)
	c.Untold = slices.Compact(c.Untold)
	return c
}

// TestMatrix writes docs/matrix.md from the files that TestLab wrote on each
// kernel: CLOSETRACE_MATRIX_FILES is a pattern, CLOSETRACE_MATRIX_DOC the result. With
// CLOSETRACE_MATRIX_KEEP the columns of other kernels stay as they are there.
func TestMatrix(t *testing.T) {
	pattern, doc := os.Getenv("CLOSETRACE_MATRIX_FILES"), os.Getenv("CLOSETRACE_MATRIX_DOC")
	if pattern == "" || doc == "" {
		t.Skip("set CLOSETRACE_MATRIX_FILES and CLOSETRACE_MATRIX_DOC; see make matrix")
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("find %s: %v", pattern, err)
	}
	var cells []cell
	for _, file := range files {
		text, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for lines := json.NewDecoder(text); lines.More(); {
			var c cell
			if err := lines.Decode(&c); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			cells = append(cells, c)
		}
		text.Close()
	}
	if os.Getenv("CLOSETRACE_MATRIX_KEEP") != "" {
		before, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		played := columns(cells)
		cells = append(slices.DeleteFunc(readMatrix(string(before)), func(c cell) bool {
			return slices.Contains(played, c.Kernel+" "+c.Mode)
		}), cells...)
	}
	if err := os.WriteFile(doc, []byte(matrixText(cells)), 0o644); err != nil {
		t.Fatal(err)
	}
}

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

func matrixText(cells []cell) string {
	var b strings.Builder
	b.WriteString(`# What each kernel and mode shows

Written by ` + "`make matrix`" + `: the lab's scenarios, played on each kernel and
watched in each mode, compared with their truths. The truths are what the scripts
did and what system calls, packets and counters said of it.

`)
	summary(&b, cells)
	table(&b, cells)
	return b.String()
}

var signs = map[string]string{"right": "✓", "wrong": "**✗**", "not visible": "○", "not possible": "–"}

func columns(cells []cell) []string {
	set := map[string]bool{}
	for _, c := range cells {
		set[c.Kernel+" "+c.Mode] = true
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b string) int {
		ka, ma, _ := strings.Cut(a, " ")
		kb, mb, _ := strings.Cut(b, " ")
		return cmp.Or(slices.Compare(numbers(ka), numbers(kb)), cmp.Compare(ka, kb), cmp.Compare(ma, mb))
	})
}

func numbers(version string) []int {
	var all []int
	for part := range strings.SplitSeq(version, ".") {
		n := 0
		fmt.Sscan(part, &n)
		all = append(all, n)
	}
	return all
}

func summary(b *strings.Builder, cells []cell) {
	b.WriteString("| kernel | mode | right | wrong | not visible | not possible there |\n|---|---|---|---|---|---|\n")
	for _, column := range columns(cells) {
		counts := map[string]int{}
		for _, c := range cells {
			if c.Kernel+" "+c.Mode == column {
				counts[c.Result]++
			}
		}
		kernel, mode, _ := strings.Cut(column, " ")
		fmt.Fprintf(b, "| %s | %s | %d | %d | %d | %d |\n", kernel, mode,
			counts["right"], counts["wrong"], counts["not visible"], counts["not possible"])
	}
	b.WriteString(`
✓ all reported facts are correct, and the verdict is the right one. ✗ something is wrong. ○ an
end, or what came after it, cannot be seen there. – the scenario cannot be played there.
A letter names facts that are true and not reported; a number, the reason for ○ and –.

`)
}

func table(b *strings.Builder, cells []cell) {
	var names []string
	at := map[string]cell{}
	for _, c := range cells {
		if !slices.Contains(names, c.Scenario) {
			names = append(names, c.Scenario)
		}
		at[c.Scenario+" "+c.Kernel+" "+c.Mode] = c
	}
	reasons, untold := &notes{mark: func(n int) string { return fmt.Sprint(n + 1) }}, &notes{mark: letter}
	heads := columns(cells)
	b.WriteString("| scenario |")
	for _, head := range heads {
		kernel, mode, _ := strings.Cut(head, " ")
		fmt.Fprintf(b, " %s<br>%s |", kernel, mode)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(heads)) + "\n")
	for _, name := range names {
		fmt.Fprintf(b, "| %s |", name)
		for _, head := range heads {
			c, played := at[name+" "+head]
			if !played {
				b.WriteString("  |")
				continue
			}
			sign := signs[c.Result]
			if c.Reason != "" {
				sign += " " + reasons.of(c.Reason)
			}
			for _, field := range c.Untold {
				sign += " " + untold.of("`"+field+"`: "+unseen[field])
			}
			fmt.Fprintf(b, " %s |", sign)
		}
		b.WriteString("\n")
	}
	reasons.list(b)
	untold.list(b)
}

// notes numbers texts in the order of their first use.
type notes struct {
	texts []string
	mark  func(int) string
}

func letter(n int) string { return string(rune('a' + n)) }

func (n *notes) of(text string) string {
	i := slices.Index(n.texts, text)
	if i < 0 {
		i = len(n.texts)
		n.texts = append(n.texts, text)
	}
	return n.mark(i)
}

func (n *notes) list(b *strings.Builder) {
	b.WriteString("\n")
	for i, text := range n.texts {
		fmt.Fprintf(b, "- %s: %s\n", n.mark(i), text)
	}
}
