package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// TestFullOutput: if standard output is full, each command says so once, and its exit
// code is that of a failure.
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
		"--help", "record --help", "help replay", "--version", "completion bash",
		"replay --plain FILE", "replay --json FILE", "replay --format csv FILE", "replay --format pcap-filter FILE", "summary FILE", "summary --json FILE", "diff FILE FILE",
	} {
		var errs bytes.Buffer
		code := run(strings.Fields(strings.ReplaceAll(line, "FILE", path)), strings.NewReader(""), full, &errs)
		if text := errs.String(); code != exitRuntime || strings.Count(text, "no space left") != 1 || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: exit %d with %q, want %d and one line", line, code, text, exitRuntime)
		}
	}
}

// TestScreenRecorderLeavesNothing: a recording that can't begin leaves no file that would
// prevent the next try, and a file that exists is left alone.
func TestScreenRecorderLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	if err := unix.Mount("none", folder, "tmpfs", 0, "size=4k"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(folder, 0)
	fill, path := filepath.Join(folder, "fill"), filepath.Join(folder, "a.jsonl")
	if err := os.WriteFile(fill, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := beginPart(path, outputs{}, model.Start{}, nil); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("on a full disk: %v, want ENOSPC", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file is left: %v", err)
	}
	if _, err := beginPart(fill, outputs{}, model.Start{}, nil); err == nil || strings.Contains(err.Error(), "--force") {
		t.Errorf("of a file that exists: %v", err)
	}
}
