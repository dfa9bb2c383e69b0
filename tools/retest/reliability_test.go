package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReliabilityTestsExist: every row of docs/reliability.md names tests that exist.
func TestReliabilityTestsExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z/]+)` (Test[A-Za-z]+(?:, Test[A-Za-z]+)*)")
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| test |\n") {
			continue
		}
		rows++
		all := named.FindAllStringSubmatch(line, -1)
		if len(all) == 0 {
			t.Errorf("no test in %s", line)
		}
		if words, known := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(line, -1), 0; len(words) > 0 {
			for _, m := range all {
				known += strings.Count(m[2], ",") + 1
			}
			if known != len(words) {
				t.Errorf("a test without its package in %s", line)
			}
		}
		for _, m := range all {
			source := testsOf(t, m[1])
			for name := range strings.SplitSeq(m[2], ", ") {
				if !strings.Contains(source, "func "+name+"(t *testing.T)") {
					t.Errorf("%s: there is no %s", m[1], name)
				}
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows were read", rows)
	}
}

// testsOf returns the source of a package's tests.
func testsOf(t *testing.T, folder string) string {
	t.Helper()
	var source strings.Builder
	files, _ := filepath.Glob("../../" + folder + "/*_test.go")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	return source.String()
}
