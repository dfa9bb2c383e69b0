package tui

import (
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/lipgloss/v2"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
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

// helpLines is the whole help: the key map, and what the signs mean.
func (s *screen) helpLines() []string {
	var lines []string
	for _, group := range s.keys.groups() {
		lines = append(lines, s.pal.strong.Styled(group.title))
		for _, b := range group.keys {
			keys := strings.Join(b.Keys(), " ")
			lines = append(lines, "  "+s.pal.key.Styled(left(keys, 15, ""))+b.Help().Desc)
		}
		lines = append(lines, "")
	}
	lines = append(lines, s.pal.strong.Styled("Verdicts"))
	for _, v := range []struct {
		verdict model.Verdict
		means   string
	}{
		{model.Graceful, "both directions ended by FIN"},
		{model.Abortive, "ended by RST, time-out or destruction: data may be lost"},
		{model.LingerTimeout, "close() waited for SO_LINGER, and the time ran out"},
		{model.FailedOpen, "never established: refused, timed out, cancelled"},
		{model.Silent, "ended without FIN or RST on the wire"},
		{model.VerdictUnknown, "no rule holds; the facts are in the detail"},
	} {
		name := s.pal.of(v.verdict).Styled(left(s.g.of(v.verdict)+" "+v.verdict.String(), 18, ""))
		lines = append(lines, "  "+name+v.means)
	}
	return append(lines,
		"  "+left("~", 18, "")+"inferred: something was not seen, the detail says what",
		"  "+left(s.g.later, 18, "")+"later evidence for an end that was shown before",
		"", s.pal.strong.Styled("Filters"),
		"  / nginx !10.0.0.9            both words decide: the second must not occur",
		"  f tcp.bytes.unread > 0       the names are those of the JSON lines",
		"  f verdict == \"abortive\" && cidr(network.peer.address, \"10.0.0.0/8\")",
		"", s.pal.strong.Styled("Views"),
		"  t counts the last minute only; x groups processes by pid, peers by /24 and /64",
		"  curves: one column is two seconds; LOST: bytes never acknowledged or never read",
		"  y and Y copy through the terminal (OSC 52); w and R write files",
	)
}
