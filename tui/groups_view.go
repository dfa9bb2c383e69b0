package tui

import (
	"strings"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// The columns of a grouped view, from left to right.
const (
	colName = iota
	colWhere
	colTotal
	colGraceful
	colAbortive
	colByUs
	colByPeer
	colByKernel
	colLinger
	colFailed
	colOther
	colMinute
	colFirst
	colLast
	colGroupLost
	colMostly
	colSpark
	groupColumns
)

func groupTable(by dimension, width int, g *glyphs) []column {
	count := func(v model.Verdict, word string, rank int) column {
		return column{title: g.of(v) + word, min: 7, ideal: 7, rank: rank, numeric: true}
	}
	columns := make([]column, groupColumns)
	d := &dimensions[by]
	columns[colName] = column{title: d.heading, min: d.room, ideal: 43, rank: 0}
	columns[colWhere] = column{title: "WHERE", min: 12, ideal: 30, rank: 7}
	columns[colTotal] = column{title: "ENDS", min: 7, ideal: 7, rank: 1, numeric: true}
	columns[colGraceful] = count(model.Graceful, "GRACE", 10)
	columns[colAbortive] = count(model.Abortive, "ABORT", 2)
	resets, kernel, minute := 3, 7, 8 // who resets whom comes before the last minute, which t shows
	switch by {
	case byCause: // says it by itself
		resets, kernel, minute = 9, 9, 3
	case byPair:
		kernel = 3
	case byProgram, byProcess, byPeer, byPrefix, numDimensions:
	}
	columns[colByUs] = column{title: "US" + g.arrow, min: 6, ideal: 6, rank: resets, numeric: true}
	columns[colByPeer] = column{title: g.arrowBack + "PEER", min: 6, ideal: 6, rank: resets, numeric: true}
	columns[colByKernel] = column{title: "KERNEL", min: 6, ideal: 6, rank: kernel, numeric: true}
	columns[colFirst] = column{title: "FIRST", min: 8, ideal: 8, rank: 7, numeric: true}
	columns[colLinger] = count(model.LingerTimeout, "LINGER", 8)
	columns[colFailed] = count(model.FailedOpen, "FAILED", 9)
	columns[colOther] = column{title: "OTHER", min: 6, ideal: 6, rank: 12, numeric: true}
	columns[colMinute] = column{title: "/MIN", min: 6, ideal: 6, rank: minute, numeric: true}
	columns[colLast] = column{title: "LAST", min: 8, ideal: 8, rank: 5, numeric: true}
	columns[colGroupLost] = column{title: "LOST", min: 8, ideal: 8, rank: 4, numeric: true}
	columns[colSpark] = column{title: "2 MIN", min: groupSpans / 2, ideal: groupSpans, rank: 11}
	columns[colMostly] = column{title: "MOSTLY", min: 14, ideal: 22, rank: 6}
	if width < 100 {
		columns[colOther].min = 1 << 20 // what it would take is better spent on names
	}
	if by == byCause {
		columns[colMostly] = column{min: 1 << 20, rank: 20}
	}
	if !d.where {
		columns[colWhere] = column{min: 1 << 20, rank: 20}
	}
	return columns
}

func (s groupSort) column() int {
	return [...]int{sortTotal: colTotal, sortAbortive: colAbortive, sortByPeer: colByPeer, sortGroupLost: colGroupLost, sortMinute: colMinute, sortLast: colLast, sortName: colName}[s]
}

// draw implements [view].
func (l *groupList) draw(s *screen, width int) []string {
	if len(l.all) == 0 {
		return s.empty()
	}
	columns := l.columns(s, width)
	widths := fitColumns(columns, width-1)
	descending := l.reverse == (l.sort == sortName)
	lines := []string{s.pal.strong.Styled(" " + headings(columns, widths, l.sort.column(), descending, s.g))}
	place := l.place()
	for i := range l.visible() {
		row := &l.all[l.top+i]
		lines = append(lines, s.row(l.renderRow(s, row, columns, widths), l.top+i == place, width))
	}
	return lines
}

// columns are those of the table; the one that is sorted by is always seen.
func (l *groupList) columns(s *screen, width int) []column {
	columns := groupTable(l.by, width, s.g)
	columns[l.sort.column()].rank = 0
	return columns
}

// renderRow returns a row painted and not painted.
func (l *groupList) renderRow(s *screen, row *groupRow, columns []column, widths []int) [2]string {
	var painted, plain strings.Builder
	for i := range columns {
		if widths[i] == 0 {
			continue
		}
		text := columns[i].fitted(s.groupCell(row, l.by, i, widths[i]), widths[i], s.g)
		if i > 0 {
			painted.WriteByte(' ')
			plain.WriteByte(' ')
		}
		plain.WriteString(text)
		painted.WriteString(s.paintGroupCell(row, i, text))
	}
	return [2]string{painted.String(), plain.String()}
}

// paintGroupCell gives the counts of a verdict its colour, unless there are none.
func (s *screen) paintGroupCell(row *groupRow, col int, text string) string {
	v, is := columnVerdict(col)
	switch {
	case is && row.counts[v] > 0:
		return s.pal.of(v).Styled(text)
	case is, col == colFirst, col == colLast, col == colWhere, strings.TrimSpace(text) == s.g.zero:
		return s.pal.faint.Styled(text)
	default:
		return text
	}
}

// columnVerdict returns the verdict that a column counts, if it counts one.
func columnVerdict(col int) (model.Verdict, bool) {
	switch col {
	case colGraceful:
		return model.Graceful, true
	case colAbortive:
		return model.Abortive, true
	case colLinger:
		return model.LingerTimeout, true
	case colFailed:
		return model.FailedOpen, true
	default:
		return model.VerdictUnknown, false
	}
}

// groupCell returns the text of one cell.
func (s *screen) groupCell(row *groupRow, by dimension, col, width int) string {
	switch col {
	case colName:
		return dimensions[by].title(&row.key, width, s.g)
	case colWhere:
		return safetext.Escape(shortPlace(row.key.place))
	case colTotal:
		return s.orDot(row.total, human.ShortCount)
	case colGraceful:
		return s.orDot(row.counts[model.Graceful], human.ShortCount)
	case colAbortive:
		return s.orDot(row.counts[model.Abortive], human.ShortCount)
	case colByUs, colByPeer, colByKernel:
		return s.orDot(row.aborts[col-colByUs], human.ShortCount)
	case colLinger:
		return s.orDot(row.counts[model.LingerTimeout], human.ShortCount)
	case colFailed:
		return s.orDot(row.counts[model.FailedOpen], human.ShortCount)
	case colOther:
		return s.orDot(row.counts[model.Silent]+row.counts[model.VerdictUnknown], human.ShortCount)
	case colMinute:
		return s.orDot(row.minute, human.ShortCount)
	case colFirst:
		return clockWord(row.first, s.cfg.Zone, 0)
	case colLast:
		return clockWord(row.last, s.cfg.Zone, 0)
	case colGroupLost:
		return s.orDot(row.lost, human.Bytes)
	case colMostly:
		return row.mostly.String()
	default:
		return sparkline(squeeze(row.curve[:], width), s.g.spark)
	}
}

// orDot writes a number; none is a dot, so that numbers stand out.
func (s *screen) orDot(n uint64, write func(uint64) string) string {
	if n == 0 {
		return s.g.zero
	}
	return write(n)
}

// squeeze adds neighbours up until values fit in width columns.
func squeeze(values []uint64, width int) []uint64 {
	if width >= len(values) {
		return values
	}
	out := make([]uint64, width)
	per := (len(values) + width - 1) / width
	skip := per*width - len(values) // the first column has fewer
	for i, v := range values {
		out[(i+skip)/per] += v
	}
	return out
}

// shortPlace cuts what looks like a container ID.
func shortPlace(place string) string {
	if len(place) == 64 {
		return model.ShortContainerID(place)
	}
	return place
}

// takeaway implements [view].
func (l *groupList) takeaway(s *screen) takeaway {
	t := takeaway{what: "no row is selected", text: func() string { return l.text(s) }}
	if row := l.current(); row != nil {
		t.row, t.what, t.filter = strings.Join(s.groupCells(row, l.by), "\t"), "the row", peerFilter(row.key)
	}
	return t
}

// text returns the whole table with tabs.
func (l *groupList) text(s *screen) string {
	var b strings.Builder
	b.WriteString(s.provenance(true))
	columns := groupTable(l.by, 1<<10, &asciiGlyphs)
	for col := range colSpark {
		title := columns[col].title
		if v, is := columnVerdict(col); is {
			title = strings.ToUpper(v.String())
		}
		if colByUs <= col && col <= colByKernel {
			title = [...]string{"BY US", "BY PEER", "BY KERNEL"}[col-colByUs]
		}
		if title != "" {
			b.WriteString(title + "\t")
		}
	}
	b.WriteByte('\n')
	for i := range l.all {
		b.WriteString(strings.Join(s.groupCells(&l.all[i], l.by), "\t") + "\n")
	}
	return b.String()
}

// groupCells returns a whole row as text.
func (s *screen) groupCells(row *groupRow, by dimension) []string {
	cells := make([]string, 0, groupColumns)
	for col := range colSpark {
		if col == colWhere && !dimensions[by].where || col == colMostly && by == byCause {
			continue
		}
		cells = append(cells, strings.TrimSpace(s.groupCell(row, by, col, 1<<10)))
	}
	return cells
}
