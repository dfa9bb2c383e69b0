package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// Finding says why ends of a kind keep happening.
type Finding struct {
	ID       string // the name of the pattern
	Title    string // the sentence
	Harm     string // a word
	Alarm    bool   // it is harmful enough to stand under the header
	Inferred bool
	Count    uint64
	Share    float64 // of all connections, from 0 to 1
	First    model.Time
	Last     model.Time
	Ongoing  bool
	Process  string
	Peer     string
	Evidence []string // ids of some of its ends
	Advice   string
	Alike    string // what looks the same and is something else
	Filter   string // selects its ends; "" if no expression can
	Identity any    // comparable: what it is known by while it grows; nil if that is not known
}

// same reports whether f and o are the same finding at two times.
func (f *Finding) same(o *Finding) bool {
	if f.Identity != nil {
		return f.Identity == o.Identity
	}
	return f.ID == o.ID && f.Process == o.Process && f.Peer == o.Peer && f.Filter == o.Filter
}

// query returns the expression that selects its ends, or else its evidence.
func (f *Finding) query() string {
	if f.Filter != "" {
		return f.Filter
	}
	return `id in ["` + strings.Join(f.Evidence, `", "`) + `"]`
}

// findingList is the view of what was found, the most harmful first.
type findingList struct {
	all    []Finding
	chosen Finding // the selected one, by what it is about
	moved  bool    // a row was selected; if not, it is the first
	line   int     // its row when it was last seen
	top    int
	height int
	story  *findingStory // of the selected one, if it is open
}

// title implements [view].
func (l *findingList) title() string { return "Findings" }

// take replaces what was found.
func (l *findingList) take(all []Finding) { l.all = all }

// worst is the most harmful finding in a sentence, or nothing.
func (l *findingList) worst() string {
	if len(l.all) == 0 || !l.all[0].Alarm {
		return ""
	}
	return l.all[0].ID + ": " + l.all[0].Title
}

// worstFinding is the line under the header; the help needs its room.
func (s *screen) worstFinding() string {
	if s.help {
		return ""
	}
	return s.found.worst()
}

// place is the row of the selection.
func (l *findingList) place() int {
	if !l.moved {
		return 0
	}
	for i := range l.all {
		if l.all[i].same(&l.chosen) {
			return i
		}
	}
	return min(max(l.line, 0), max(len(l.all)-1, 0))
}

// current is the selected finding, if there is one.
func (l *findingList) current() *Finding {
	if len(l.all) == 0 {
		return nil
	}
	return &l.all[l.place()]
}

// keys implements [view].
func (l *findingList) keys(s *screen) []action {
	if l.story == nil {
		return nil
	}
	k := &s.keys
	return []action{
		act(k.back, func(*screen) { l.story = nil }),
		act(k.nextOne, func(*screen) { l.neighbour(1) }),
		act(k.previousOne, func(*screen) { l.neighbour(-1) }),
	}
}

func (l *findingList) neighbour(n int) {
	l.step(n)
	l.open()
}

// rows implements [view].
func (l *findingList) rows(s *screen, d *deck, height int) {
	l.height = max(height, 0)
	if l.height >= 12 {
		l.height -= belowLines
	}
	l.line = l.place()
	l.top = min(max(l.top, l.line-l.height+1), l.line)
	if l.story != nil {
		if f := l.current(); f != nil && f.same(&l.story.finding) {
			l.story.finding = *f
		}
		l.story.rows(s, d, height+1)
	}
}

// move implements [view].
func (l *findingList) move(_ *screen, n int) {
	if l.story != nil {
		scroll(&l.story.pages, n)
		return
	}
	l.step(n)
}

func (l *findingList) step(n int) {
	if len(l.all) == 0 {
		return
	}
	l.line = min(max(l.place()+n, 0), len(l.all)-1)
	l.chosen, l.moved = l.all[l.line], n != toFirst // at the top, whichever gets there
}

// clicked implements [clicker].
func (l *findingList) clicked(_ *screen, line int) {
	if l.story == nil && l.top+line < len(l.all) {
		l.step(l.top + line - l.place())
	}
}

// counted implements [counted].
func (l *findingList) counted() (shown, all int, noun string) {
	return len(l.all), len(l.all), "findings, of all ends"
}

// enter implements [view]: it opens the finding, and then the stream of its ends.
func (l *findingList) enter(s *screen) {
	f := l.current()
	switch {
	case f == nil:
	case l.story == nil:
		l.open()
	default:
		q := s.query
		q.scope = &scope{finding: l.story.finding.ID, expr: l.story.finding.query(), from: l}
		if err := s.choose(q); err != nil {
			s.say(err.Error())
			return
		}
		s.stream.follow = true
		s.show(&s.stream)
	}
}

func (l *findingList) open() {
	if f := l.current(); f != nil {
		l.chosen, l.moved = *f, true
		l.story = newFindingStory(*f)
	}
}

// takeaway implements [view].
func (l *findingList) takeaway(s *screen) takeaway {
	t := takeaway{what: "no finding is selected", text: func() string { return l.text(s) }}
	if f := l.current(); f != nil {
		t.row, t.what = strings.Join(f.lines(s), "\n"), "the finding"
	}
	return t
}

// text returns all findings.
func (l *findingList) text(s *screen) string {
	var b strings.Builder
	b.WriteString(s.provenance(false))
	for i := range l.all {
		b.WriteString("\n" + strings.Join(l.all[i].lines(s), "\n") + "\n")
	}
	return b.String()
}

// lines is the finding as text.
func (f *Finding) lines(s *screen) []string {
	lines := []string{f.ID + ": " + f.harmWord() + ", " + f.countWord() + ", " + f.timeWord(s), f.Title, f.Advice}
	if f.Filter != "" {
		lines = append(lines, "filter: "+f.Filter)
	}
	for i := range lines {
		lines[i] = safetext.Escape(lines[i])
	}
	return lines
}

func (f *Finding) harmWord() string {
	if f.Inferred {
		return f.Harm + "~"
	}
	return f.Harm
}

func (f *Finding) countWord() string {
	word := human.Count(f.Count)
	if f.Share > 0 && f.Share <= 1 {
		word += " (" + human.Percent(f.Share, 1) + " %)"
	}
	return word
}

func (f *Finding) timeWord(s *screen) string {
	word := clockWord(f.First, s.cfg.Zone, 0)
	if last := clockWord(f.Last, s.cfg.Zone, 0); last != word {
		word += " - " + last
	}
	if f.Ongoing {
		word += ", still going on"
	}
	return word
}

var findingColumns = []column{
	{title: "HARM", min: 7, ideal: 7, rank: 0},
	{title: "ENDS", min: 6, ideal: 6, rank: 1, numeric: true},
	{title: "FIRST", min: 8, ideal: 8, rank: 6, numeric: true},
	{title: "LAST", min: 8, ideal: 8, rank: 3, numeric: true},
	{title: "", min: 8, ideal: 8, rank: 5},
	{title: "FINDING", min: 22, ideal: 23, rank: 2},
	{title: "WHAT", min: 16, ideal: 400, rank: 4, late: true},
}

func (f *Finding) cell(s *screen, col int) string {
	switch col {
	case 0:
		return f.harmWord()
	case 1:
		return human.ShortCount(f.Count)
	case 2:
		return clockWord(f.First, s.cfg.Zone, 0)
	case 3:
		return clockWord(f.Last, s.cfg.Zone, 0)
	case 4:
		if f.Ongoing {
			return "going on"
		}
		return ""
	case 5:
		return f.ID
	default:
		return safetext.Escape(f.Title)
	}
}

// draw implements [view].
func (l *findingList) draw(s *screen, width int) []string {
	switch {
	case l.story != nil:
		return strings.Split(l.story.pages.View(), "\n")
	case s.cfg.Findings == nil:
		return []string{"", " Nobody looks for findings here."}
	case len(l.all) == 0:
		return []string{
			"", " Nothing was found yet: no pattern of trouble among " + human.Count(s.sum.all) + " ends.", "",
			" closetrace explain keepalive-race and the like say what is looked for.",
		}
	}
	widths := fitColumns(findingColumns, width-1)
	lines := []string{s.pal.strong.Styled(" " + headings(findingColumns, widths, -1, false, s.g))}
	place := l.place()
	for i := l.top; i < min(l.top+l.height, len(l.all)); i++ {
		lines = append(lines, s.row(l.all[i].row(s, widths), i == place, width))
	}
	return append(lines, l.below(s, width)...)
}

// row returns a row painted and not painted.
func (f *Finding) row(s *screen, widths []int) [2]string {
	var painted, plain []string
	for col := range findingColumns {
		if widths[col] == 0 {
			continue
		}
		text := findingColumns[col].fitted(f.cell(s, col), widths[col], s.g)
		plain = append(plain, text)
		switch {
		case f.Alarm && col == 0:
			text = s.pal.of(model.Abortive).Styled(text)
		case col == 2, col == 3:
			text = s.pal.faint.Styled(text)
		case col == 5:
			text = s.pal.strong.Styled(text)
		}
		painted = append(painted, text)
	}
	return [2]string{strings.Join(painted, " "), strings.Join(plain, " ")}
}

// belowLines is how many lines are kept below the rows on a screen that is not low.
const belowLines = 5

// below shows the selected finding in full where the rows leave room for it.
func (l *findingList) below(s *screen, width int) []string {
	f := l.current()
	lines := append([]string{""}, filled(" ", safetext.Escape(f.Title), width)...)
	lines = append(lines, filled(" > ", safetext.Escape(f.Advice), width)...)
	lines = append(lines, "", " "+s.pal.faint.Styled("enter: its evidence; enter again: its ends"))
	room := s.tableHeight() - 1 - min(l.height, len(l.all))
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], width, s.g.dots)
	}
	return lines[:min(room, len(lines))]
}
