package tui

import (
	tea "charm.land/bubbletea/v2"
)

// toggleMouse: a captured mouse takes the terminal's own selection away, and
// so it is off at first.
func (s *screen) toggleMouse() {
	s.mouse = !s.mouse
	if s.mouse {
		s.say("mouse on: wheel moves, click selects; m gives it back to the terminal")
	} else {
		s.say("mouse off")
	}
}

func (s *screen) wheel(msg tea.MouseWheelMsg) {
	n := 3
	if msg.Button == tea.MouseWheelUp {
		n = -3
	}
	if s.help {
		scroll(&s.pages, n)
		return
	}
	s.focus().move(s, n)
}

// clicked selects the row under the mouse.
func (s *screen) clicked(msg tea.MouseClickMsg) {
	line := msg.Y - s.headerHeight() - 1
	if s.help || line < 0 || msg.X >= s.tableWidth() || s.detail != nil && s.width < wideDetail {
		return
	}
	if c, clicks := s.view.(clicker); clicks {
		c.clicked(s, line)
	}
}
