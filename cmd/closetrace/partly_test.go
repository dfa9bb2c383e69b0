package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/wire"
)

// cutCapture is a capture whose writer was killed within its last packet.
func cutCapture(t *testing.T) string {
	t.Helper()
	whole, err := os.ReadFile(captureOf(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.pcap")
	if err := os.WriteFile(path, whole[:len(whole)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCutCapture: of a capture that is cut all commands show what was read; the error comes
// last, and the exit code is that of replay.
func TestCutCapture(t *testing.T) {
	cut := cutCapture(t)
	for want, args := range map[string][]string{
		"graceful":              {"replay", cut},
		"aborted most":          {"summary", cut},
		"abortive":              {"diff", cut, captureOf(t)},
		"with both ends":        {"join", cut, captureOf(t)},
		`"findings"`:            {"diagnose", cut, "--json"},
		"in the middle of a":    {"report", cut, "-o", "-"}, // among the page's warnings
		"wire: graceful":        {"replay", recordingOf(t), "--with", cut},
		"wire: abortive, peer-": {"replay", cut, "--with", captureOf(t)},
	} {
		var out, errs bytes.Buffer
		if code := run(args, nil, &out, &errs); code != exitRuntime {
			t.Errorf("%q: exit %d, want %d", args, code, exitRuntime)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q: no %q in:\n%s", args, want, &out)
		}
		last := strings.TrimSpace(errs.String())
		if last = last[strings.LastIndex(last, "\n")+1:]; !strings.Contains(last, "cut at byte") {
			t.Errorf("%q: the last line of errors is %q", args, last)
		}
	}
}

// TestAnnotateCutCapture: the copy has all packets before the cut.
func TestAnnotateCutCapture(t *testing.T) {
	cut, recording := cutCapture(t), recordingOf(t)
	again := cut
	for range 2 { // a pcap file, and a pcapng file that is cut in a block of a kind that is not read
		output := filepath.Join(t.TempDir(), "annotated.pcapng")
		var errs bytes.Buffer
		if code := run([]string{"annotate", again, output, "--with", recording}, nil, &errs, &errs); code != exitRuntime || !strings.Contains(errs.String(), "cut at byte") {
			t.Errorf("exit %d: %s", code, &errs)
		}
		text, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		f, _, err := wire.Open(bytes.NewReader(text), output, wire.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ends := 0
		for _, err := range f.Events(t.Context()) {
			if err != nil {
				t.Errorf("the copy: %v", err)
			}
			ends++
		}
		if ends == 0 {
			t.Error("the copy has no end")
		}
		again = filepath.Join(t.TempDir(), "cut.pcapng")
		if err := os.WriteFile(again, append(text, "\xad\x0b\x00\x00\x40\x00\x00\x00cut, 64 bytes"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
