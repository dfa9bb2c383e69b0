package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLeastDurations: a recording may hold durations whose opposite is no number.
func TestLeastDurations(t *testing.T) {
	least := func(name string) string { return `"` + name + `":-9223372036854775808` }
	text := strings.ReplaceAll(fiveLines, `"verdict":"abortive"`, least("duration_ns")+","+least("close_blocked_ns")+`,"verdict":"abortive"`)
	text = strings.ReplaceAll(text, `"tcp":{`, `"tcp":{`+least("srtt_ns")+","+least("idle_ns")+",")
	text = strings.Replace(text, `{"kind":"stop"`, `{"kind":"clock","schema":"closetrace/1","time":"2026-11-20T17:23:00.323456Z","time_unix_nano":"1795195380323456789",`+least("step_ns")+"}\n"+`{"kind":"stop"`, 1)
	path := filepath.Join(t.TempDir(), "least.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"replay", "--plain"}, {"replay", "--json"}, {"summary"}, {"diagnose"}, {"report", "-o", "-"},
	} {
		var out, errs bytes.Buffer
		if code := run(slices.Insert(slices.Clone(command), 1, path), nil, &out, &errs); code != exitOK || errs.Len() > 0 {
			t.Errorf("%q: exit %d, %s", command, code, errs.String())
		}
		if slices.Contains(command, "--plain") && !strings.Contains(out.String(), "set back by 106751d") {
			t.Errorf("replay says nothing of the clock:\n%s", out.String())
		}
	}
}
