package tui

import (
	"testing"
	"time"
)

// TestPausedStreamIsWritten: w writes what a paused stream shows, whatever the intake has
// dropped since the pause.
func TestPausedStreamIsWritten(t *testing.T) {
	for _, later := range []int{0, 200, 10_000} {
		d := &disk{}
		records := feed(2000, at, time.Millisecond)
		r := newRig(t, 80, 24, records, func(c *Config) { c.Keep, c.Record = 500, d.create })
		r.press("space")
		shown := r.s.frozen.hits.len()
		r.add(feed(later, r.time, time.Millisecond)...)
		r.press("w")
		r.run(r.press("enter"))
		if len(d.records) != shown || d.closed != 1 || d.records[shown-1].Teardown.ID != records[1999].Teardown.ID {
			t.Errorf("%d ends later: %d records were written, want the %d that are shown", later, len(d.records), shown)
		}
		r.press("space")
		if held := r.in.deck.journal.held; held != 0 {
			t.Errorf("%d snapshots are still held", held)
		}
	}
}
