package findings_test

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// TestClockSetBack: after the clock was set back by an hour, ends are judged as they
// come, and not an hour later.
func TestClockSetBack(t *testing.T) {
	e := findings.New()
	play := func(from time.Duration) {
		var s stream
		for i := range 50 {
			at := from + time.Duration(i)*ms
			s.end(at, "app", model.Active, "10.0.0.1:4000", "10.0.1.2:80", model.CausePeerReset)
			s.records[i].Teardown.ID += from.String()
		}
		for i := range s.records {
			e.Add(&s.records[i])
		}
		e.Advance(begin.Add(from + sec))
	}
	play(0)
	before := e.Report().Connections
	e.Add(&model.Record{Kind: model.KindClock, Clock: model.Clock{Time: begin.Add(sec - time.Hour), Step: -time.Hour}})
	play(sec - time.Hour)
	if got := e.Report().Connections; before != 50 || got != 100 {
		t.Errorf("got %d and %d connections, want 50 and 100", before, got)
	}
}
