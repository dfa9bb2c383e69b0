package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReliabilityNamesTests: every row of docs/reliability.md names tests that exist.
func TestReliabilityNamesTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("\\| `([a-z/]+)` (Test[A-Za-z, ]+)")
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| test |\n") {
			continue
		}
		rows++
		m := named.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("no test in %s", line)
			continue
		}
		var source strings.Builder
		files, _ := filepath.Glob("../../" + m[1] + "/*_test.go")
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
		for name := range strings.SplitSeq(strings.TrimSpace(m[2]), ", ") {
			if !strings.Contains(source.String(), "func "+name+"(t *testing.T)") {
				t.Errorf("%s: there is no %s", m[1], name)
			}
		}
	}
	if rows < 15 {
		t.Errorf("only %d rows were read", rows)
	}
}
