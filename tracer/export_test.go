//go:build linux

package tracer

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// Misses returns how often the kernel did not run a program because another
// run of it was under way on the same processor.
func (t *Tracer) Misses() map[string]uint64 {
	misses := map[string]uint64{}
	for name, p := range t.loaded.objects.Programs {
		if s, err := p.Stats(); err == nil && s.RecursionMisses > 0 {
			misses[name] = s.RecursionMisses
		}
	}
	return misses
}

// SkippedAndNotCopied returns the programs of which the kernel left out runs, though
// none must be, and that are loaded only once.
func (t *Tracer) SkippedAndNotCopied() (names []string) {
	misses := t.Misses()
	for _, h := range slices.Concat(core, extra[t.loaded.mode]) {
		if h.copied != nothing && misses[h.program] > 0 && t.loaded.objects.Programs[h.program+"_2"] == nil {
			names = append(names, h.program)
		}
	}
	return names
}

// Record keeps every message of the kernel. The result is complete when the
// events have been read to their end.
func (t *Tracer) Record() *[][]byte {
	var messages [][]byte
	t.tap = func(raw []byte) { messages = append(messages, slices.Clone(raw)) }
	return &messages
}

// Describe returns a recorded message in words.
func Describe(raw []byte) string { return describe(raw) }

// Required reports whether a skip for want of feature must be a failure.
func Required(feature string) bool {
	return slices.Contains(strings.Split(os.Getenv("CLOSETRACE_REQUIRE"), ","), feature)
}

// OpenOrSkip starts a trace, or skips the test where the kernel lacks the mode. The
// tracepoint mode must work wherever the tests run as root.
func OpenOrSkip(t *testing.T, opts Options) *Tracer {
	t.Helper()
	tr, err := Open(opts)
	switch {
	case err == nil:
	case Required("bpf") && opts.Mode == Tracepoint, Required(string(opts.Mode)):
		t.Fatalf("open %s: %v", opts.Mode, err)
	default:
		t.Skipf("open %s: %v", opts.Mode, err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// RecordWhile returns the records of everything that happens while do runs.
func RecordWhile(t *testing.T, tr *Tracer, do func()) []model.Record {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		do()
	}()
	var records []model.Record
	for r, err := range model.Judged(tr.Events(ctx)) {
		if err != nil {
			t.Errorf("read events: %v", err)
			break
		}
		records = append(records, r)
	}
	<-done
	return records
}
