package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestWithComparesTheOutcome: an end is compared once, as it finally ended.
func TestWithComparesTheOutcome(t *testing.T) {
	recording := recordingOf(t)
	text, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	outcome, _, _ := strings.Cut(string(text), "\n")
	first := strings.NewReplacer(`"verdict":"abortive"`, `"verdict":"graceful"`, `"cause":"peer-reset"`, `"cause":"fin"`, `"received":true`, `"received":false`).Replace(outcome)
	outcome = strings.Replace(outcome, `"kind":"teardown"`, `"kind":"outcome"`, 1)
	for _, ends := range []string{first + "\n" + outcome, outcome} { // also without its teardown
		if err := os.WriteFile(recording, []byte(ends+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if code := run([]string{"replay", recording, "--with", captureOf(t)}, nil, &out, &errs); code != 0 {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		if n := strings.Count(out.String(), "  ! host: reset by the peer; wire: the RST has TTL 57"); n != 1 || strings.Contains(out.String(), "host: graceful") {
			t.Errorf("%d times reset by the peer, want 1 and nothing else, in\n%s", n, out.String())
		}
		if want := "1 beside the capture, 1 of them disagree; 0 without an end in it"; !strings.Contains(errs.String(), want) {
			t.Errorf("got %s, want %s", errs.String(), want)
		}
	}
}
