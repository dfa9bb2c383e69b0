package tui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

// TestWorstFindingIsUnderTheHeader: as soon as there is one, safe for a terminal, and cut
// to the screen; until then it takes no line.
func TestWorstFindingIsUnderTheHeader(t *testing.T) {
	worst := Finding{ID: "keepalive-race"}
	s := newScreen(Config{Findings: func() []Finding { return []Finding{worst} }, Background: BackgroundDark}, newIntake(10))
	s.width, s.height = 80, 24
	before := len(s.header())
	worst.Alarm, worst.Title = true, "gunicorn\x1b[2J closes after 2s "+strings.Repeat("x", 100)
	s.Update(tickMsg(model.Time(1)))
	lines := s.header()
	if len(lines) != before+1 {
		t.Fatalf("%d lines, want one more than %d", len(lines), before)
	}
	last := ansi.Strip(lines[len(lines)-1])
	if !strings.HasPrefix(last, `keepalive-race: gunicorn\x1b[2J closes`) || ansi.StringWidth(last) > 80 {
		t.Errorf("got %q", last)
	}
}
