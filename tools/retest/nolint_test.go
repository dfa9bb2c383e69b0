package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNolintNamesALinterThatRuns: a directive for another linter silences nothing, and
// would silence whatever gets that name.
func TestNolintNamesALinterThatRuns(t *testing.T) {
	const root = "../.."
	config, err := os.ReadFile(filepath.Join(root, ".golangci.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	enabled := regexp.MustCompile(`(?m)^  enable: \[(.*)\]$`).FindSubmatch(config)
	if enabled == nil {
		t.Fatal("no list of linters in .golangci.yaml")
	}
	linters := strings.Split(string(enabled[1]), ", ")
	directive := regexp.MustCompile(`//nolint\b(?::([a-z,]+))?(.*)`)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "build" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || d.Name() == "nolint_test.go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range directive.FindAllStringSubmatch(string(text), -1) {
			for name := range strings.SplitSeq(m[1], ",") {
				if !slices.Contains(linters, name) {
					t.Errorf("%s: %q: not one of %v", path, m[0], linters)
				}
			}
			if !strings.HasPrefix(strings.TrimSpace(m[2]), "//") {
				t.Errorf("%s: %q: no reason", path, m[0])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
