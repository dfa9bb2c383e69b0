package tui

import (
	"testing"

	tea "charm.land/bubbletea/v2"
)

// TestLeaveAtEnd: the screen ends with the followed command, unless the user is looking
// at something.
func TestLeaveAtEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave bool
		keys  []string
		want  bool
	}{
		{"not asked for", false, nil, false},
		{"asked for", true, nil, true},
		{"paused", true, []string{"space"}, false},
		{"a detail is open", true, []string{"enter"}, false},
		{"a question is open", true, []string{"f"}, false},
		{"looked at and left", true, []string{"enter", "esc"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 120, 24, demoFeed(), func(cfg *Config) { cfg.LeaveAtEnd = c.leave })
			r.press(c.keys...)
			if cmd := r.s.ticked(r.time); cmd != nil {
				t.Error("the screen is left before the records ended")
			}
			r.in.mu.Lock()
			r.in.ended = true
			r.in.mu.Unlock()
			r.tick(0)
			left := false
			if cmd := r.s.ticked(r.time); cmd != nil {
				_, left = cmd().(tea.QuitMsg)
			}
			if left != c.want {
				t.Errorf("the screen is left: %v, want %v", left, c.want)
			}
		})
	}
}
