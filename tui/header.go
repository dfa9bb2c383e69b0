package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// header draws the lines above the table. How many it takes depends on the
// size only, but for the filter and the worst finding, which have lines of their own.
func (s *screen) header() []string {
	lines := []string{s.statusLine(), s.tabLine()}
	lines = append(lines, s.verdictLines()...)
	if s.cfg.Traced != "" {
		lines = append(lines, s.pal.match.Styled(cut("traced  only "+safetext.Escape(s.cfg.Traced), s.width, s.g.dots)))
	}
	if line := s.filterLine(); line != "" {
		lines = append(lines, line)
	}
	if worst := s.worstFinding(); worst != "" {
		lines = append(lines, s.pal.loud.Styled(cut(safetext.Escape(worst), s.width, s.g.dots)))
	}
	return lines
}

// statusLine shows where the records come from, for how long, how many. What is loud is
// at its right end, and is cut last.
func (s *screen) statusLine() string {
	loud := s.loudWords()
	loudWidth := ansi.StringWidth(loud)
	room := s.width - loudWidth
	if loud != "" {
		room--
	}
	parts := s.statusWords()
	line := ""
	for _, part := range parts {
		w := ansi.StringWidth(line)
		if line != "" {
			part = "  " + part
		}
		if w+ansi.StringWidth(part) > room {
			continue
		}
		line += part
	}
	if loud == "" {
		return line
	}
	return line + blanks(s.width-ansi.StringWidth(line)-loudWidth) + loud
}

// statusWords returns the parts of the status, the most important first.
func (s *screen) statusWords() []string {
	start := &s.cfg.Start
	source := safetext.Escape(start.Backend)
	if s.replay != nil {
		source = "replay " + safetext.Escape(s.cfg.Replay.Name)
	}
	words := []string{
		s.pal.strong.Styled("closetrace"),
		s.elapsed(),
		fmt.Sprintf("%s closes/s", human.Rate(s.sum.rate)),
		human.Count(s.sum.all) + " ends",
		source,
		safetext.Escape(strings.TrimSpace(start.OS.Type + " " + start.OS.Version)),
		safetext.Escape(start.Host.Name),
	}
	out := words[:0]
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

func (s *screen) elapsed() string {
	begin := s.cfg.Start.Time
	if begin == 0 {
		begin = s.sum.first
	}
	d := time.Duration(0)
	if begin != 0 && s.now > begin {
		d = s.now.Sub(begin)
	}
	return fmt.Sprintf("%02d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

// loudWords returns what must not be missed.
func (s *screen) loudWords() string {
	var words []string
	rec := &s.sum.recording
	switch {
	case rec.err != nil:
		words = append(words, s.pal.loud.Styled(" RECORDING FAILED "))
	case rec.running:
		words = append(words, s.pal.strong.Styled(s.g.record+" REC "+human.Count(rec.count)))
	}
	if lost := &s.sum.lost; lost.Missing() > 0 {
		words = append(words, s.pal.loud.Styled(" "+s.g.warning+" MISSED "+human.Count(lost.Missing())+" "))
	} else if n := lost.Total(); n > 0 { // no end is missing
		words = append(words, s.pal.strong.Styled(" "+s.g.warning+" "+human.Count(n)+" KNOWN LESS "))
	}
	if t := &s.sum.table; t.Max > 0 && t.Held*2 >= t.Max {
		words = append(words, s.pal.loud.Styled(fmt.Sprintf(" TABLE %d %% FULL ", t.Held*100/t.Max)))
	}
	switch {
	case s.sum.err != nil:
		words = append(words, s.pal.loud.Styled(" SOURCE FAILED "))
	case s.sum.ended && s.replay == nil:
		words = append(words, s.pal.strong.Styled("ended"))
	}
	return strings.Join(words, " ")
}

// tabLine names the views; the one that is shown is in brackets, so that it stands out
// without colour.
func (s *screen) tabLine() string {
	state, room := s.viewState(), s.tabRoom()
	line := ""
	for _, t := range s.tabs(room) {
		line += t.text
	}
	if state == "" {
		return line
	}
	return cut(line, room, s.g.dots) + " " + state
}

// viewState is what the line of tabs says of the view: that it counts the last minute
// only, or stands still.
func (s *screen) viewState() string {
	state := s.pauseWord()
	if _, grouped := s.view.(*groupList); grouped && s.minute {
		state = strings.TrimSpace("last minute " + state)
	}
	return state
}

// tabRoom is the width that the tabs may take.
func (s *screen) tabRoom() int {
	if state := s.viewState(); state != "" {
		return s.width - ansi.StringWidth(state) - 1
	}
	return s.width
}

// tab is the name of a view in the line of tabs, at the columns from begin on.
type tab struct {
	view  view
	text  string
	begin int
}

// tabs names the views. Where there is no room for whole names, those of the views that
// are not shown are short.
func (s *screen) tabs(room int) []tab {
	for _, letters := range []int{1 << 10, 4, 3, 1, 0} {
		var tabs []tab
		at := 0
		for i, v := range s.views {
			t := tab{v, strconv.Itoa(i+1) + " " + v.title(), at}
			if v == s.view {
				t.text = "[" + t.text + "]"
				at += len(t.text)
				t.text = s.pal.selected.Styled(t.text)
			} else {
				t.text = " " + strings.TrimSpace(t.text[:min(len(t.text), 2+letters)]) + " "
				at += len(t.text)
			}
			tabs = append(tabs, t)
		}
		if at <= room || letters == 0 {
			return tabs
		}
	}
	return nil
}

// pauseWord says that the view stands still, and how much came in meanwhile.
func (s *screen) pauseWord() string {
	if !s.paused() {
		return ""
	}
	return s.pal.match.Styled(s.g.pause + " PAUSED +" + human.Count(s.sum.end-s.pausedAt) + " new")
}

// verdictLines shows counts and curves: one verdict per line on a high
// screen, in two columns on a middle one, only numbers on a low one.
func (s *screen) verdictLines() []string {
	switch {
	case s.height < 16:
		return []string{s.countLine()}
	case s.height < 30:
		return s.curveGrid(2)
	default:
		return s.curveGrid(1)
	}
}

// verdictHeight is the number of lines of verdictLines.
func (s *screen) verdictHeight() int {
	n := len(s.shownVerdicts())
	switch {
	case s.height < 16:
		return 1
	case s.height < 30:
		return (n + 1) / 2
	default:
		return n
	}
}

// shownVerdicts returns the four common verdicts, and the others if there are any.
func (s *screen) shownVerdicts() []model.Verdict {
	list := []model.Verdict{model.Graceful, model.Abortive, model.LingerTimeout, model.FailedOpen}
	for _, v := range []model.Verdict{model.Silent, model.VerdictUnknown} {
		if s.sum.counts[v] > 0 {
			list = append(list, v)
		}
	}
	return list
}

func (s *screen) countLine() string {
	var parts []string
	for _, v := range s.shownVerdicts() {
		word, _, _ := strings.Cut(v.String(), "-")
		parts = append(parts, s.pal.of(v).Styled(s.g.of(v)+" "+word+" "+human.ShortCount(s.sum.counts[v])))
	}
	return ansi.Truncate(strings.Join(parts, "  "), s.width, s.g.dots)
}

// labelWidth is what stands before a curve: glyph, word, count.
const labelWidth = len("X linger-timeout 999,999,999 ")

// scaleWidth is what stands after a curve: how many ends its highest column has.
const scaleWidth = len(" ^9999k")

func (s *screen) curveGrid(columns int) []string {
	width, scale := s.width/columns, 0
	if width >= 60 {
		scale = scaleWidth
	}
	var lines []string
	for i, v := range s.shownVerdicts() {
		text := left(s.g.of(v)+" "+v.String(), labelWidth-13, s.g.dots) + right(human.Count(s.sum.counts[v]), 11, s.g.dots) + "  "
		curve := s.sum.curves[v]
		if room := max(width-labelWidth-1-scale, 0); len(curve) > room {
			curve = curve[len(curve)-room:]
		}
		top := ""
		if most := slices.Max(append(curve[:len(curve):len(curve)], 0)); most > 0 {
			top = " " + s.g.up + human.ShortCount(most)
		}
		cell := s.pal.of(v).Styled(left(text+sparkline(curve, s.g.spark), width-scale, "")) + s.pal.faint.Styled(left(top, scale, ""))
		if i%columns == 0 {
			lines = append(lines, cell)
		} else {
			lines[len(lines)-1] += cell
		}
	}
	return lines
}

// filterLine shows what is chosen, and how much of all that is.
func (s *screen) filterLine() string {
	var parts []string
	if sc := s.query.scope; sc != nil {
		parts = append(parts, sc.noun(s.g))
	}
	if s.query.bad {
		parts = append(parts, "not graceful")
	}
	if s.query.text != "" {
		parts = append(parts, "text "+safetext.Escape(s.query.text))
	}
	if s.query.expr != "" {
		parts = append(parts, "where "+safetext.Escape(s.query.expr))
	}
	if len(parts) == 0 {
		return ""
	}
	tail := "  " + human.Count(s.sum.counts.total()) + " of " + human.Count(s.sum.all)
	of, counts := s.view.(counted)
	switch {
	case counts:
		shown, all, noun := of.counted()
		tail = "  " + human.Count(shown) + " of " + human.Count(all) + " " + noun
	case s.sum.partial:
		tail = "  " + human.Count(s.sum.counts.total()) + " of the last " + human.Count(s.sum.asked)
	}
	room := s.width - len(tail) - len("filter  ")
	return s.pal.match.Styled("filter  "+cut(strings.Join(parts, " and "), room, s.g.dots)) + tail
}
