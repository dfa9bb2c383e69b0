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
	switch {
	case s.help && n > 0:
		s.pages.ScrollDown(n)
	case s.help:
		s.pages.ScrollUp(-n)
	case s.detail != nil && n > 0:
		s.detail.pages.ScrollDown(n)
	case s.detail != nil:
		s.detail.pages.ScrollUp(-n)
	default:
		s.move(n)
	}
}

// clicked selects the row under the mouse.
func (s *screen) clicked(msg tea.MouseClickMsg) {
	line := msg.Y - s.headerHeight() - 1
	if s.help || line < 0 || msg.X >= s.tableWidth() || s.detail != nil && s.width < wideDetail {
		return
	}
	if l := s.grouped(); l != nil {
		if l.top+line < len(l.all) {
			l.move(l.top + line - l.place())
		}
		return
	}
	if s.view == streamView && line < len(s.stream.rows) {
		s.stream.sel(s.stream.rows[line].seq)
		s.stream.line = line
	}
}
