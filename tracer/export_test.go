//go:build linux

package tracer

import (
	"slices"
	"testing"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/internal/lab/sourcetest"
)

// Misses returns how often the kernel did not run a program because it was already
// running on the same processor.
func (t *Tracer) Misses() map[string]uint64 {
	misses := map[string]uint64{}
	for name, p := range t.loaded.objects.Programs {
		if s, err := p.Stats(); err == nil && s.RecursionMisses > 0 {
			misses[name] = s.RecursionMisses
		}
	}
	return misses
}

// SkippedAndNotCopied returns the programs that are loaded only once and of which the
// kernel skipped runs.
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

// Entries returns how many entries of the table a user's own namespaces have, and how
// many all have together.
func (t *Tracer) Entries(uid uint32) (own, all uint64) {
	slots := make([]bpf.TraceTenant, len(t.tenants.all))
	t.tenants.read(slots)
	for _, s := range slots[1:] {
		if s.Who == uint64(uid) {
			own += uint64(s.Open)
		}
	}
	return own, uint64(slots[0].Open)
}

// InTable counts the entries one by one.
func (t *Tracer) InTable() (n int) {
	var key uint64
	var value bpf.TraceEnd
	for it := t.loaded.objects.Maps["conns"].Iterate(); it.Next(&key, &value); {
		n++
	}
	return n
}

// SeesFunctions reports whether hooks are in functions, which show what tracepoints do
// not.
func (m Mode) SeesFunctions() bool { return m == Fentry || m == Kprobe }

// TypedModes leaves out Raw, which runs the programs of Tracepoint once more: for tests
// that take long, or that each kernel of CI plays.
func TypedModes() []Mode { return []Mode{Fentry, Kprobe, Tracepoint} }

// OpenOrSkip starts a trace, or skips the test if the kernel lacks the mode. The
// tracepoint and raw modes must work wherever the tests run as root.
func OpenOrSkip(t *testing.T, opts Options) *Tracer {
	t.Helper()
	tr, err := Open(opts)
	features := []string{string(opts.Mode)}
	if !opts.Mode.SeesFunctions() && opts.Mode != "" {
		features = append(features, "bpf")
	}
	sourcetest.Opened(t, err, features...)
	t.Cleanup(func() { tr.Close() })
	return tr
}
