package agent

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// TestWaitsAfterFailures: the time to wait doubles up to half a minute, and begins again where
// the Collector answers that it will never take a batch. One that it refuses thrice, while
// others are taken or for good, is given up; one that fails for all is not.
func TestWaitsAfterFailures(t *testing.T) {
	const s = time.Second
	for what, c := range map[string]struct {
		never  bool
		others bool // are taken between two tries
		tries  int
		waits  []time.Duration
		lost   bool
	}{
		"nobody listens":       {false, false, 7, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, longWait, longWait}, false},
		"others are taken":     {false, true, 3, []time.Duration{s, 2 * s, 4 * s}, false},
		"others, once more":    {false, true, 4, []time.Duration{s, 2 * s, 4 * s, 8 * s}, true},
		"refused for good":     {true, false, 2, []time.Duration{s, s}, false},
		"and for a third time": {true, false, 3, []time.Duration{s, s, s}, true},
	} {
		said := 0
		o := &outlet{meter: newMeter(&Options{MaxSeries: 10}), exporter: &exporter{}, first: s, log: func(string, ...any) { said++ }}
		o.exporter.answers.never = c.never
		p := parcel{count: 5}
		var waits []time.Duration
		for i := range c.tries {
			o.failed(&p, errors.New("refused"))
			waits = append(waits, o.wait)
			if last := i == c.tries-1; (len(o.hand) == 0) != (c.lost && last) {
				t.Errorf("%s: %d batches are kept after try %d", what, len(o.hand), i+1)
			}
			o.hand = o.hand[:0]
			if c.others {
				o.successes++
			}
		}
		if !slices.Equal(waits, c.waits) || said != 1 {
			t.Errorf("%s: waits %v, said %d times, want %v and once", what, waits, said, c.waits)
		}
	}
}
