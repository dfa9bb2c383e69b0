package tui

import (
	"charm.land/bubbles/v2/help"
	"charm.land/lipgloss/v2"

	"github.com/closetrace/closetrace/internal/safetext"
)

// footHeight is the number of lines of the foot.
func (s *screen) footHeight() int {
	height := 1
	if s.replay != nil {
		height++
	}
	if s.prompt != nil {
		height += len(s.promptLines()) - 1
	}
	return height
}

// foot draws what is below the table: the position in a replay, then the
// question that is asked, a notice, or the keys.
func (s *screen) foot() []string {
	var lines []string
	if s.replay != nil {
		lines = append(lines, s.positionLine())
	}
	switch {
	case s.prompt != nil:
		return append(lines, s.promptLines()...)
	case s.sum.err != nil && s.notice.text == "":
		return append(lines, s.pal.loud.Styled(cut("source: "+safetext.Escape(s.sum.err.Error()), s.width, s.g.dots)))
	case s.sum.recording.err != nil && s.notice.text == "":
		return append(lines, s.pal.loud.Styled(cut(safetext.Escape(s.sum.recording.err.Error()), s.width, s.g.dots)))
	case s.notice.text != "":
		style := s.pal.strong
		if s.notice.loud {
			style = s.pal.loud
		}
		return append(lines, style.Styled(cut(safetext.Escape(s.notice.text), s.width, s.g.dots)))
	default:
		return append(lines, s.keyLine())
	}
}

// keyLine is the help of the keys that matter here, as far as there is room.
func (s *screen) keyLine() string {
	h := s.keyHelp
	h.SetWidth(s.width)
	return h.ShortHelpView(s.footer())
}

// newKeyHelp returns the footer's help in the styles of p.
func newKeyHelp(p *palette, g *glyphs) help.Model {
	h := help.New()
	h.ShortSeparator, h.Ellipsis = "  ", g.dots
	h.Styles = help.Styles{}
	if p != &plainPalette {
		h.Styles.ShortKey = lipgloss.NewStyle().Bold(true)
		h.Styles.ShortDesc = lipgloss.NewStyle().Faint(true)
	}
	return h
}
