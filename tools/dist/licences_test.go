package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoticeHasEveryModule: NOTICE has the whole licence of each module that the program has
// by what Go built into it, of what those modules took from elsewhere, of Go, and of
// closetrace with its BPF programs.
func TestNoticeHasEveryModule(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	r := &release{root: root, out: t.TempDir()}
	if err := os.MkdirAll(r.part(), 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "closetrace")
	c := exec.Command("go", "build", "-o", program, "./cmd/closetrace")
	c.Dir, c.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := r.licences(); err != nil {
		t.Fatal(err)
	}
	notice, err := os.ReadFile(r.part("NOTICE"))
	if err != nil {
		t.Fatal(err)
	}
	has := func(what, file string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(notice, bytes.TrimSpace(text)) {
			t.Errorf("%s: NOTICE lacks %s", what, file)
		}
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil || len(info.Deps) < 20 {
		t.Fatalf("what is in the program: %v, %v", info, err)
	}
	for _, m := range info.Deps {
		found := 0
		for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "NOTICE", "NOTICE.txt", "License", "LICENSE-APACHE-2.0.txt"} {
			file := filepath.Join(moduleFolder(t, root, m.Path+"@"+m.Version), name)
			if _, err := os.Stat(file); err == nil {
				has(m.Path, file)
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s: the test knows no licence of it", m.Path)
		}
	}
	for _, others := range []string{"Caleb Spare", "Leon Sorokin", "The Go Authors", "GNU GENERAL PUBLIC LICENSE"} { // xxhash, uPlot
		if !bytes.Contains(notice, []byte(others)) {
			t.Errorf("NOTICE has nothing of %s", others)
		}
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	has("Go", filepath.Join(strings.TrimSpace(string(goroot)), "LICENSE"))
	texts, err := filepath.Glob(filepath.Join(root, "LICENSES", "*"))
	if err != nil || len(texts) < 2 {
		t.Errorf("%d licences in LICENSES, %v", len(texts), err)
	}
	for _, file := range append(texts, filepath.Join(root, "LICENSE")) {
		has("closetrace", file)
	}
}

func moduleFolder(t *testing.T, root, module string) string {
	t.Helper()
	c := exec.Command("go", "mod", "download", "-json", module)
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v", module, err)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m.Dir
}
