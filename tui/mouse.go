package tui

import (
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// toggleMouse: a captured mouse takes the terminal's own selection away, and
// so it is off at first.
func (s *screen) toggleMouse() {
	s.mouse = !s.mouse
	if s.mouse {
		s.say("mouse on: wheel moves, click selects a row, a tab or a column to sort by; m gives it back")
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

// clicked selects the row, the view or the column to sort by that is under the mouse.
func (s *screen) clicked(msg tea.MouseClickMsg) {
	line := msg.Y - s.headerHeight() - 1
	switch {
	case s.help:
		return
	case msg.Y == 1:
		s.clickedTab(msg.X)
		return
	case line == -1 && s.detail == nil:
		if h, sorts := s.view.(headed); sorts {
			h.sortAt(s, msg.X-1)
		}
		return
	}
	if s.help || line < 0 || msg.X >= s.tableWidth() || s.detail != nil && s.width < wideDetail {
		return
	}
	if c, clicks := s.view.(clicker); clicks {
		c.clicked(s, line)
	}
}

func (s *screen) clickedTab(x int) {
	for _, t := range s.tabs(s.tabRoom()) {
		if x >= t.begin && x < t.begin+ansi.StringWidth(t.text) {
			s.show(t.view)
			return
		}
	}
}

// sortAt sorts by the column that is drawn at x, or turns its order round.
func (l *groupList) sortAt(s *screen, x int) {
	columns := l.columns(s, s.tableWidth())
	col := columnAt(fitColumns(columns, s.tableWidth()-1), x)
	for by := range groupSorts {
		if by.column() == col {
			l.reverse = l.sort == by && !l.reverse
			l.sort, l.stale, l.chosen = by, true, false
			return
		}
	}
}

// sortAt is that of the stream.
func (l *streamList) sortAt(s *screen, x int) {
	col := columnAt(fitColumns(streamTable(l.sort, s.tableWidth()), s.tableWidth()-1), x)
	for by := range streamSorts {
		if by.column() == col {
			l.reverse = l.sort == by && !l.reverse
			l.sort, l.order, l.follow = by, nil, true
			return
		}
	}
}

// columnAt returns which of columns of these widths is at x, -1 for none.
func columnAt(widths []int, x int) int {
	for i, width := range widths {
		if width == 0 {
			continue
		}
		if x >= 0 && x < width {
			return i
		}
		x -= width + 1
	}
	return -1
}
