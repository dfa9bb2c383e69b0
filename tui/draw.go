package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// View implements [tea.Model].
func (s *screen) View() tea.View {
	v := tea.NewView(s.draw())
	v.AltScreen = true
	v.WindowTitle = "closetrace"
	if s.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	return v
}

// draw returns the screen: at most height lines of at most width columns.
func (s *screen) draw() string {
	if s.width <= 0 || s.height <= 0 {
		return ""
	}
	if s.width < minWidth || s.height < minHeight {
		return s.tooSmall()
	}
	lines := s.header()
	lines = append(lines, s.body(s.height-len(lines)-s.footHeight())...)
	lines = append(lines, s.foot()...)
	if len(lines) > s.height {
		lines = lines[:s.height]
	}
	for i, line := range lines {
		if w, _ := textWidth(line); w > s.width {
			lines[i] = ansi.Truncate(line, s.width, "")
		}
	}
	return strings.Join(lines, "\n")
}

// body draws exactly height lines: the table, the detail, both, or the help.
func (s *screen) body(height int) []string {
	var lines []string
	switch {
	case s.help:
		lines = strings.Split(s.pages.View(), "\n")
	case s.detail != nil && s.width < wideDetail:
		lines = s.detail.draw(s, s.width)
	case s.detail != nil:
		lines = s.beside(s.view.draw(s, s.tableWidth()), s.detail.draw(s, s.width), height)
	default:
		lines = s.view.draw(s, s.width)
	}
	for len(lines) < height {
		lines = append(lines, "")
	}
	return lines[:max(height, 0)]
}

// empty is a table without rows: it says why there is nothing to see.
func (s *screen) empty() []string { return []string{"", " " + s.emptyWord()} }

// emptyWord says why there is nothing to see.
func (s *screen) emptyWord() string {
	switch {
	case s.sum.all > 0 && !s.query.empty():
		return "No connection end matches the filter. Esc clears it."
	case s.sum.ended:
		return "The source ended, and no connection did."
	case s.sum.all > 0:
		return "Nothing here in this time."
	default:
		return "Waiting for the first connection to end" + s.g.dots
	}
}

// beside puts the detail at the right of the table.
func (s *screen) beside(table, detail []string, height int) []string {
	lines := make([]string, height)
	bar := " | "
	if !s.cfg.ASCII {
		bar = " │ "
	}
	for i := range lines {
		if i < len(table) {
			lines[i] = table[i]
		}
		lines[i] += blanks(s.tableWidth()-ansi.StringWidth(lines[i])) + s.pal.faint.Styled(bar)
		if i < len(detail) {
			lines[i] += detail[i]
		}
	}
	return lines
}

func (s *screen) tableWidth() int {
	if s.detail != nil && s.width >= wideDetail {
		return s.width / 2
	}
	return s.width
}

// tableHeight is the room for titles and rows.
func (s *screen) tableHeight() int {
	return max(s.height-s.headerHeight()-s.footHeight(), 0)
}

func (s *screen) headerHeight() int {
	if s.width < minWidth || s.height < minHeight {
		return 0
	}
	height := 2 + s.verdictHeight()
	if !s.query.empty() {
		height++
	}
	if s.cfg.Traced != "" {
		height++
	}
	if s.worstFinding() != "" {
		height++
	}
	return height
}

// tooSmall asks for more room, in whatever room there is.
func (s *screen) tooSmall() string {
	text := ansi.Wrap("closetrace needs 60x12 or more", s.width, "")
	lines := strings.Split(text, "\n")
	lines = lines[:min(len(lines), s.height)]
	for i := range lines {
		lines[i] = cut(lines[i], s.width, "")
	}
	return strings.Join(lines, "\n")
}
