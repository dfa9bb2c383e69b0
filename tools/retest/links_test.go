package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLinks: links between documents lead to files that are there, and README.md has one
// to each page of docs.
func TestLinks(t *testing.T) {
	const root = "../.."
	link := regexp.MustCompile(`\]\(([\w/-]*[./][\w./-]+)(?:#[\w-]*)?\)`)
	linked := map[string]bool{} // from README.md
	pages, _ := filepath.Glob(filepath.Join(root, "*.md"))
	docs, _ := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if len(pages) == 0 || len(docs) == 0 {
		t.Fatalf("%d documents and %d pages of docs", len(pages), len(docs))
	}
	for _, page := range append(pages, docs...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to := filepath.Join(filepath.Dir(page), m[1])
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: link to %s: %v", strings.TrimPrefix(page, root+"/"), m[1], err)
			}
			linked[to] = linked[to] || filepath.Base(page) == "README.md"
		}
	}
	for _, page := range docs {
		if !linked[page] {
			t.Errorf("README.md has no link to %s", strings.TrimPrefix(page, root+"/"))
		}
	}
}
