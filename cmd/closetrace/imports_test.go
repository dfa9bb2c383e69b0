package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// importTable returns the imports column of docs/architecture.md by folder.
func importTable(t *testing.T, root string) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\|.*\\| ([^|]+) \\|$").FindAllStringSubmatch(string(page), -1) {
		table[row[1]] = strings.Split(row[2], ", ")
	}
	return table
}

// within reports whether path is folder or lies in it.
func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// row returns the innermost folder of the table that path lies in.
func row(table map[string][]string, path string) string {
	best := ""
	for folder := range table {
		if within(path, folder) && len(folder) > len(best) {
			best = folder
		}
	}
	return best
}

// TestImportTable holds the import table of docs/architecture.md: on every
// system, programs import of this module only what it says. Tests may import
// more.
func TestImportTable(t *testing.T) {
	const root, module = "../..", "github.com/closetrace/closetrace/"
	table := importTable(t, root)
	if len(table) < 12 {
		t.Fatalf("docs/architecture.md has a table of %d folders", len(table))
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "build") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		folder := row(table, strings.TrimPrefix(filepath.ToSlash(path), root+"/"))
		if folder == "" {
			t.Errorf("%s: docs/architecture.md has no row for its folder", path)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			imported, ours := strings.CutPrefix(imported, module)
			allowed := func(other string) bool { return other == "everything" || within(imported, other) }
			if ours && !within(imported, folder) && !slices.ContainsFunc(table[folder], allowed) {
				t.Errorf("%s imports %s; docs/architecture.md allows %s to import %v", path, imported, folder, table[folder])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
