package findings_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestFullMemory: whatever many clients or servers do once or twice, the engine still finds what
// comes after them.
func TestFullMemory(t *testing.T) {
	for name, c := range map[string]struct {
		role   model.Role
		cause  model.Cause
		counts bool // as connections that found no place
		edits  []edit
	}{
		"clients that close idle connections": {model.Passive, model.CauseFIN, false, []edit{graceful, bytes(100, 100), idle(2 * sec), by(model.InitiatorPeer)}},
		"servers that close idle connections": {model.Active, model.CauseFIN, true, []edit{graceful, bytes(100, 100), idle(2 * sec), by(model.InitiatorPeer)}},
		"servers that refuse once":            {model.Active, model.CauseRefused, true, []edit{failed, lasted(ms)}},
		"servers that reset at once":          {model.Active, model.CausePeerReset, false, []edit{bytes(500, 0), lasted(ms)}},
		"attempts that are given up at once":  {model.Active, model.CauseConnectCancelled, true, []edit{failed, again(0), lasted(50 * ms)}},
	} {
		var s stream
		for i := range 1100 {
			s.end(time.Duration(i)*ms, "app", c.role, "10.0.0.1:8000", fmt.Sprintf("10.%d.%d.7:9000", i/250, i%250), c.cause, c.edits...)
		}
		s.end(5*sec, "gunicorn", model.Passive, "10.6.0.2:8000", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(0, 81), by(model.InitiatorLocal), call(model.CallExit, 9), heard(700*ms))
		r := found(t, s.records)
		if got := ids(r); !slices.Equal(got, []string{"process-killed"}) || r.Untracked > 0 != c.counts {
			t.Errorf("%s: got findings %q and %d untracked, want process-killed", name, got, r.Untracked)
		}
	}
}
