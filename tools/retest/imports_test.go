package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestImportTable: of this module, each package imports what its row of the table in
// docs/architecture.md says, on every system; packages of one row may use each other.
func TestImportTable(t *testing.T) {
	const root = "../.."
	text, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| imports of this module |\n")
	if !found {
		t.Fatal("no import table")
	}
	allowed := map[string][]string{} // by folder
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\| .* \\| ([^|]+) \\|$").FindAllStringSubmatch(table, -1) {
		allowed[row[1]] = strings.Split(row[2], ", ")
	}
	rowOf := func(folder string) string {
		for ; folder != "."; folder = filepath.Dir(folder) {
			if allowed[folder] != nil {
				return folder
			}
		}
		return ""
	}
	used := map[string]bool{}
	for _, system := range []string{"linux", "windows", "darwin"} {
		for _, line := range packages(t, root, system) {
			folder, imports, _ := strings.Cut(line, " ")
			row := rowOf(folder)
			if row == "" {
				t.Errorf("%s has no row in the import table", folder)
			}
			used[row] = true
			for _, other := range strings.Fields(imports) {
				there := rowOf(other)
				if row != there && !slices.Contains(allowed[row], there) && !slices.Contains(allowed[row], "everything") {
					t.Errorf("%s imports %s, which its row in the import table does not say", folder, other)
				}
			}
		}
	}
	for row := range allowed {
		if _, err := os.Stat(filepath.Join(root, row, "go.mod")); !used[row] && err != nil {
			t.Errorf("the import table has a row for %s, where no package is", row)
		}
	}
}

// packages returns a line for each package: its folder and those of this module that it
// imports.
func packages(t *testing.T, root, system string) (lines []string) {
	t.Helper()
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir, list.Env = root, append(os.Environ(), "GOOS="+system)
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var folders []string
		for _, path := range strings.Fields(line) {
			if folder, ours := strings.CutPrefix(path, module); ours {
				folders = append(folders, folder)
			}
		}
		lines = append(lines, strings.Join(folders, " "))
	}
	return lines
}
