package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestAnnotateSaysTheOutcome: a verdict that was taken back is not in the comment.
func TestAnnotateSaysTheOutcome(t *testing.T) {
	with := recordingOf(t)
	text, err := os.ReadFile(with)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	later := strings.NewReplacer(`"kind":"teardown"`, `"kind":"outcome","retracts":true`, "peer-reset", "keepalive-timeout", `"terminator":"peer"`, `"terminator":"local-kernel"`).Replace(first)
	for _, recording := range []string{string(text) + later, later} { // also without its teardown
		if err := os.WriteFile(with, []byte(recording+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		output := filepath.Join(t.TempDir(), "annotated.pcapng")
		var errs bytes.Buffer
		if code := run([]string{"annotate", captureOf(t), output, "--with", with}, nil, &errs, &errs); code != 0 {
			t.Fatalf("exit %d: %s", code, &errs)
		}
		made, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(made, []byte("peer-reset")) || !bytes.Contains(made, []byte("keepalive-timeout, by local-kernel")) {
			t.Errorf("the comments have the first verdict, or not the last:\n%q", made)
		}
	}
}

// TestToldIsBounded: ends for which there is no room are counted, and so are not amended.
func TestToldIsBounded(t *testing.T) {
	told := newTold()
	told.most = 1
	for _, kind := range []model.Kind{model.KindTeardown, model.KindOutcome} {
		for _, id := range []string{"a", "b"} {
			r := model.Record{Kind: kind}
			r.Teardown.ID, r.Teardown.Verdict = id, model.Abortive
			told.add(&r)
		}
	}
	if len(told.ends) != 1 || told.dropped != 1 {
		t.Errorf("%d ends, %d dropped; want 1 each", len(told.ends), told.dropped)
	}
}
