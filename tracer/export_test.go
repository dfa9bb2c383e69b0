//go:build linux

package tracer

import "slices"

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

// Record keeps every message of the kernel. The result is complete when the
// events have been read to their end.
func (t *Tracer) Record() *[][]byte {
	var messages [][]byte
	t.tap = func(raw []byte) { messages = append(messages, slices.Clone(raw)) }
	return &messages
}

// Describe returns a recorded message in words.
func Describe(raw []byte) string { return describe(raw) }
