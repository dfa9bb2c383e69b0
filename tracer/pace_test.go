//go:build linux

package tracer

import (
	"testing"
	"time"
)

// TestPace: a process that was not known before is looked at as soon as on a host where
// little happens, as it may be about to exit, and so is a close() that waits.
func TestPace(t *testing.T) {
	const usual = 50 * time.Millisecond
	p := newPace(usual)
	for i, step := range []struct {
		ends, met uint64 // in this round
		waits     bool
		want      time.Duration
	}{
		{0, 0, false, usual},
		{90, 0, false, usual},
		{2800, 0, false, pollBusy},
		{14_000, 0, false, pollBusy},
		{14_000, 1, false, usual},
		{2800, 1, false, usual},
		{2800, 0, false, pollBusy},
		{400, 0, false, usual}, // 1,600 a second
		{2800, 0, true, usual},
	} {
		ends, met := p.ends+step.ends, p.met+step.met
		if p.next(ends, met, step.waits); p.poll != step.want {
			t.Errorf("step %d: %s, want %s", i, p.poll, step.want)
		}
	}
}
