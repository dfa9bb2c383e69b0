package tui

import (
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// The columns of the stream, from left to right.
const (
	colTime = iota
	colVerdict
	colCause
	colProcess
	colPlace
	colPort // the local port, where there is no room for LOCAL
	colLocal
	colPeer
	colBy
	colLost
	colBlocked
	colAge
	streamColumns
)

// longEndpoint is the longest endpoint without an IPv6 zone.
const longEndpoint = len("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")

func streamTable(sorted streamSort, width int) []column {
	columns := make([]column, streamColumns)
	columns[colTime] = column{title: "TIME", min: 8, ideal: 12, rank: 0, late: true}
	columns[colVerdict] = column{title: "VERDICT", min: shortVerdict, ideal: 17, rank: 1}
	columns[colCause] = column{title: "CAUSE", min: 12, ideal: 32, rank: 2}
	columns[colProcess] = column{title: "PROCESS", min: 12, ideal: 24, rank: 3}
	columns[colPeer] = column{title: "PEER", min: 17, ideal: longEndpoint, rank: 4}
	columns[colLost] = column{title: "LOST", min: 7, ideal: 8, rank: 5, numeric: true}
	columns[colPort] = column{title: "PORT", min: 6, ideal: 6, rank: 6, numeric: true}
	columns[colLocal] = column{title: "LOCAL", min: 21, ideal: longEndpoint, rank: 6}
	columns[colBlocked] = column{title: "BLOCKED", min: 8, ideal: 8, rank: 7, numeric: true}
	columns[colAge] = column{title: "AGE", min: 7, ideal: 7, rank: 8, numeric: true}
	columns[colBy] = column{title: "BEGAN/ENDED", min: 18, ideal: 20, rank: 9}
	columns[colPlace] = column{title: "WHERE", min: 12, ideal: 24, rank: 10}
	without := &columns[colLocal]
	if width >= 120 {
		without = &columns[colPort]
		columns[colVerdict].min, columns[colCause].min, columns[colPeer].min = 17, 22, 21
	}
	without.min, without.rank = width+1, streamColumns
	// The column that is sorted by is always seen, before the peer.
	columns[sorted.column()].rank = min(columns[sorted.column()].rank, 3)
	return columns
}

func (s streamSort) column() int {
	switch s {
	case sortLost:
		return colLost
	case sortBlocked:
		return colBlocked
	case sortAge:
		return colAge
	default:
		return colTime
	}
}

// draw implements [view].
func (l *streamList) draw(s *screen, width int) []string {
	if len(l.shown) == 0 {
		return s.empty()
	}
	columns := streamTable(l.sort, width)
	widths := fitColumns(columns, width-1)
	descending := l.reverse == (l.sort == sortTime)
	lines := []string{s.pal.strong.Styled(" " + headings(columns, widths, l.sort.column(), descending, s.g))}
	for i := range l.shown {
		row := &l.shown[i]
		lines = append(lines, s.row(l.renderRow(s, row, columns, widths, width), row.seq == l.selected, width))
	}
	return lines
}

// row puts the mark of the selection before a painted line, and paints a
// selected one anew: colours would break the bar.
func (s *screen) row(painted [2]string, selected bool, width int) string {
	if !selected {
		return " " + painted[0]
	}
	return s.pal.selected.Styled(s.g.selector + left(painted[1], width-1, s.g.dots))
}

// renderRow returns a row painted and not painted.
func (l *streamList) renderRow(s *screen, row *streamRow, columns []column, widths []int, width int) [2]string {
	r := &row.rec
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindStray:
	default:
		when := columns[colTime].fitted(clockWord(r.Time(), s.cfg.Zone, widths[colTime]-9), widths[colTime], s.g)
		room := width - 2 - widths[colTime]
		plain := when + " " + cut(noticeWord(r, &plainPalette, s.g), room, s.g.dots)
		return [2]string{when + " " + cut(noticeWord(r, s.pal, s.g), room, s.g.dots), plain}
	}
	var painted, plain strings.Builder
	for i := range columns {
		if widths[i] == 0 {
			continue
		}
		text := columns[i].fitted(s.streamCell(r, i, widths[i]), widths[i], s.g)
		if i > 0 {
			painted.WriteByte(' ')
			plain.WriteByte(' ')
		}
		plain.WriteString(text)
		switch i {
		case colVerdict, colCause:
			text = s.pal.of(r.Teardown.Verdict).Styled(text)
		case colTime, colPlace, colBy, colPort:
			text = s.pal.faint.Styled(text)
		case colLost:
			if strings.TrimSpace(text) == s.g.zero {
				text = s.pal.faint.Styled(text)
			}
		}
		painted.WriteString(text)
	}
	return [2]string{painted.String(), plain.String()}
}

// streamCell returns the text of one cell.
func (s *screen) streamCell(r *model.Record, col, width int) string {
	t := &r.Teardown
	switch col {
	case colTime:
		return clockWord(t.Time, s.cfg.Zone, width-9)
	case colVerdict:
		return s.verdictCell(r, width)
	case colCause:
		switch r.Kind {
		case model.KindCloseFailed:
			return safetext.Escape(r.Error)
		case model.KindStray:
			return strayReason(r)
		default:
			return causeWord(t, width, s.g)
		}
	case colProcess:
		return processWord(&t.Facts, width, s.g)
	case colPlace:
		return placeWord(&t.Facts)
	case colPort:
		return ":" + strconv.Itoa(int(t.Network.Local.Port))
	case colLocal:
		return endpointWord(t.Network.Local, width, s.g)
	case colPeer:
		return endpointWord(t.Network.Peer, width, s.g)
	case colBy:
		if r.Kind == model.KindCloseFailed || r.Kind == model.KindStray {
			return ""
		}
		return byWord(&t.Judgement)
	case colLost:
		return knownBytes(t.TCP.Bytes, s.g)
	case colBlocked:
		return human.Known(t.CloseBlocked, human.Duration)
	default:
		return human.Known(t.Duration, human.Duration)
	}
}

// causeWord is the cause, and who or what closed this side if that is worth a word.
func causeWord(t *model.Teardown, width int, g *glyphs) string {
	cause, note := t.Cause.String(), safetext.Escape(t.CloseNote())
	if note == "" {
		return cause
	}
	if w, _ := textWidth(note); len(cause)+2+w <= width {
		return cause + ", " + note
	}
	short := " exit"
	switch c := &t.Closer; {
	case c.Signal != 0:
		short = " " + model.SignalName(c.Signal)
	case c.Call != model.CallExit && t.Signalled.Number != 0:
		short = " " + model.SignalName(t.Signalled.Number)
	case c.PID != t.Process.PID:
		short = " by " + strconv.Itoa(c.PID)
	}
	return cutTail(cause, short, width, g.dots)
}

// shortVerdict is the width of a verdict's sign and first word, with a tilde.
const shortVerdict = len("X graceful~")

func (s *screen) verdictCell(r *model.Record, width int) string {
	long := s.verdictLong(r)
	if w, _ := textWidth(long); w <= width {
		return long
	}
	sign, rest, _ := strings.Cut(long, " ")
	word, _, _ := strings.Cut(rest, "-")
	if strings.HasSuffix(long, "~") {
		word += "~"
	}
	return sign + " " + word
}

func (s *screen) verdictLong(r *model.Record) string {
	switch {
	case r.Kind == model.KindCloseFailed:
		return s.g.warning + " close-failed"
	case r.Kind == model.KindStray:
		return s.g.warning + " stray-reset"
	case r.Kind == model.KindOutcome && r.Retracts:
		return s.g.later + " now " + markedVerdict(&r.Teardown.Judgement)
	case r.Kind == model.KindOutcome:
		return s.g.later + " " + markedVerdict(&r.Teardown.Judgement)
	default:
		return verdictWord(&r.Teardown.Judgement, s.g)
	}
}

// knownBytes returns the bytes that were lost, a dot for none, "" if unknown.
func knownBytes(b model.Bytes, g *glyphs) string {
	switch {
	case !b.Unacked.Known() && !b.Unread.Known():
		return ""
	case b.Lost() == 0:
		return g.zero
	}
	return human.Bytes(b.Lost())
}

// takeaway implements [view].
func (l *streamList) takeaway(s *screen) takeaway {
	t := takeaway{what: "no record is selected"}
	if row := l.current(); row != nil {
		t = s.takeRecord(&row.rec)
	}
	t.records, t.text = true, func() string { return l.text(s) }
	return t
}

// text returns the lines of all that is chosen.
func (l *streamList) text(s *screen) string {
	var b strings.Builder
	options := LineOptions{ASCII: s.cfg.ASCII, Date: true, Zone: s.cfg.Zone}
	b.WriteString(LineHeader(options) + "\n")
	s.with(func(d *deck) {
		for i := range d.hits.len() {
			b.WriteString(Line(d.journal.at(d.hits.at(i)), options) + "\n")
		}
	})
	return b.String()
}
