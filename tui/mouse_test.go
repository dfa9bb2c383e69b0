package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// click presses the mouse where the screen shows text.
func (r *rig) click(text string) {
	r.t.Helper()
	for y, line := range strings.Split(r.text(), "\n") {
		if before, _, found := strings.Cut(line, text); found {
			r.send(tea.MouseClickMsg{X: ansi.StringWidth(before) + 1, Y: y, Button: tea.MouseLeft})
			return
		}
	}
	r.t.Fatalf("no %q on\n%s", text, r.text())
}

// TestMouse: a tab opens its view, a title sorts by its column and then the other way round.
func TestMouse(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		r := newRig(t, size[0], size[1], demoFeed(), withFindings)
		r.press("m")
		r.click("4 Processes")
		r.shows("[4 Processes]", "✗ABORT▼")
		r.click("ENDS")
		r.shows("ENDS▼", "▸nginx")
		r.click("ENDS")
		r.shows("ENDS▲")
		r.click("LAST")
		r.shows("LAST▼")
		r.click("2 Stream")
		r.click("LOST")
		r.shows("[2 Stream]", "LOST▼")
		r.click("1 Findings")
		r.click("health-check")
		r.shows("▸benign~")
	}
}
