package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// hostile is a process name that reverses the text after it, opens an escape sequence in
// two ways, and ends a line.
const hostile = "n\u202egx\u009b2J\x1b]0;\x7f\u2028\U000e0041"

// TestHostileJSON: no command's JSON has a character that acts on a terminal, and all of
// them contain the unchanged name.
func TestHostileJSON(t *testing.T) {
	name, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hostile.jsonl")
	text := strings.ReplaceAll(fiveLines, `"nginx"`, string(name))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) func(*app) error {
		return func(a *app) error {
			if code := run(args, nil, a.stdout, os.Stderr); code != 0 {
				t.Errorf("%v: exit %d", args, code)
			}
			return nil
		}
	}
	for what, print := range map[string]func(*app) error{
		"replay":  command("replay", path, "--json"),
		"summary": command("summary", path, "--json"),
		"diff":    command("diff", path, path, "--json"),
		"diagnose": func(a *app) error {
			return a.printFindings(&findings.Report{Findings: []findings.Finding{{Title: hostile}}}, true)
		},
		"list": func(a *app) error {
			return writeConns(a.stdout, []sockets.Conn{{Process: model.Process{Name: hostile}}})
		},
		"doctor": func(a *app) error {
			return a.printDiagnosis(&diagnosis{Checks: []check{{Detail: hostile}}}, true)
		},
		"version": func(a *app) error {
			defer func(before string) { release = before }(release)
			release = hostile
			return command("version", "--json")(a)
		},
	} {
		t.Run(what, func(t *testing.T) {
			var out bytes.Buffer
			if err := print(&app{stdout: &out}); err != nil {
				t.Fatal(err)
			}
			for _, r := range strings.ReplaceAll(out.String(), "\n", "") {
				if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
					t.Errorf("the output holds %U", r)
				}
			}
			found := false
			for decoder := json.NewDecoder(&out); decoder.More(); {
				var v any
				if err := decoder.Decode(&v); err != nil {
					t.Fatal(err)
				}
				found = found || holds(v, hostile)
			}
			if !found {
				t.Error("the name is not in the output")
			}
		})
	}
}

// holds reports whether a text of v has part in it.
func holds(v any, part string) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, part)
	case map[string]any:
		for name, below := range v {
			if holds(name, part) || holds(below, part) {
				return true
			}
		}
	case []any:
		for _, below := range v {
			if holds(below, part) {
				return true
			}
		}
	}
	return false
}
