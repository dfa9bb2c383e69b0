package sourcetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// Required reports whether a skip for want of feature must be a failure.
func Required(feature string) bool {
	return slices.Contains(strings.Split(os.Getenv("CLOSETRACE_REQUIRE"), ","), feature)
}

// Opened ends the test if a source could not be opened: by a failure where one of the
// features is required, else by a skip.
func Opened(t *testing.T, err error, features ...string) {
	t.Helper()
	switch {
	case err == nil:
	case slices.ContainsFunc(features, Required):
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// RecordWhile returns the records of everything that happens while do runs.
func RecordWhile(t *testing.T, source model.Source, do func()) []model.Record {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		do()
	}()
	var records []model.Record
	for r, err := range model.Judged(source.Events(ctx)) {
		if err != nil {
			t.Errorf("read events: %v", err)
			break
		}
		records = append(records, r)
	}
	<-done
	return records
}

// Find returns where a program is. Debian's python3 is wanted, not a wrapper
// that happens to be in front of it; servers are where only root looks.
func Find(program string) (string, error) {
	for _, directory := range []string{"/usr/bin", "/usr/sbin"} {
		if path, err := exec.LookPath(filepath.Join(directory, program)); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(program)
}
