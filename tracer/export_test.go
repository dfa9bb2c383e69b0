//go:build linux

package tracer

import (
	"slices"
	"testing"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
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

// OpenOrSkip starts a trace, or skips the test where the kernel lacks the mode. The
// tracepoint mode must work wherever the tests run as root.
func OpenOrSkip(t *testing.T, opts Options) *Tracer {
	t.Helper()
	tr, err := Open(opts)
	features := []string{string(opts.Mode)}
	if opts.Mode == Tracepoint {
		features = append(features, "bpf")
	}
	sourcetest.Opened(t, err, features...)
	t.Cleanup(func() { tr.Close() })
	return tr
}
