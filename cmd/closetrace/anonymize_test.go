package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnonymizeSaysWhatIsMissing: of a file that is read in part the copy is one of that
// part, and the error says so.
func TestAnonymizeSaysWhatIsMissing(t *testing.T) {
	output := filepath.Join(t.TempDir(), "public.jsonl")
	var errs bytes.Buffer
	if code := run([]string{"anonymize", cutCapture(t), "-o", output}, nil, &errs, &errs); code != exitRuntime || !strings.Contains(errs.String(), "public.jsonl has only what came before") {
		t.Errorf("exit %d: %s", code, &errs)
	}
	if text, err := os.ReadFile(output); err != nil || !bytes.Contains(text, []byte(`"kind":"teardown"`)) {
		t.Errorf("the copy: %v, %d bytes", err, len(text))
	}
}
