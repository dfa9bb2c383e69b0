//go:build linux

package tracer

import (
	"testing"
	"time"
)

// TestPace: a process that was not known before is looked at as soon as on a host where
// little happens; it may be about to exit.
func TestPace(t *testing.T) {
	const usual = 50 * time.Millisecond
	p := newPace(usual)
	for i, step := range []struct {
		ends, met uint64 // in this round
		want      time.Duration
	}{
		{0, 0, usual},
		{90, 0, usual},
		{2800, 0, pollBusy},
		{14_000, 0, pollBusy},
		{14_000, 1, usual},
		{2800, 1, usual},
		{2800, 0, pollBusy},
		{400, 0, usual}, // 1,600 a second
	} {
		ends, met := p.ends+step.ends, p.met+step.met
		if p.next(ends, met); p.poll != step.want {
			t.Errorf("step %d: %s, want %s", i, p.poll, step.want)
		}
	}
}
