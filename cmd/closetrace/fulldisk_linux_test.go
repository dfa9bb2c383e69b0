package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFullOutput: where standard output has no room, each command says so once, and
// its exit code is that of a failure.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(strings.Repeat(fiveLines, 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"replay --plain", "replay --json", "replay --format csv", "replay --format pcap-filter", "summary", "summary --json", "diff " + path,
	} {
		var errs bytes.Buffer
		code := run(append(strings.Fields(line), path), strings.NewReader(""), full, &errs)
		if text := errs.String(); code != exitRuntime || strings.Count(text, "no space left") != 1 || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: exit %d with %q, want %d and one line", line, code, text, exitRuntime)
		}
	}
}
