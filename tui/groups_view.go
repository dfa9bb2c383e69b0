package tui

import (
	"strconv"
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
	colLinger
	colFailed
	colOther
	colMinute
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
	name := [...]string{
		byCause: "CAUSE", byProgram: "PROCESS", byProcess: "PROCESS[PID]", byPeer: "PEER", byPrefix: "PEER NETWORK",
	}
	columns := make([]column, groupColumns)
	room := [...]int{byCause: 18, byProgram: 16, byProcess: 16, byPeer: 22, byPrefix: 22}
	columns[colName] = column{title: name[by], min: room[by], ideal: 43, rank: 0}
	columns[colWhere] = column{title: "WHERE", min: 12, ideal: 30, rank: 7}
	columns[colTotal] = column{title: "ENDS", min: 7, ideal: 7, rank: 1, numeric: true}
	columns[colGraceful] = count(model.Graceful, "GRACE", 10)
	columns[colAbortive] = count(model.Abortive, "ABORT", 2)
	columns[colLinger] = count(model.LingerTimeout, "LINGER", 8)
	columns[colFailed] = count(model.FailedOpen, "FAILED", 9)
	columns[colOther] = column{title: "OTHER", min: 6, ideal: 6, rank: 12, numeric: true}
	columns[colMinute] = column{title: "/MIN", min: 6, ideal: 6, rank: 3, numeric: true}
	columns[colLast] = column{title: "LAST", min: 8, ideal: 8, rank: 6, numeric: true}
	columns[colGroupLost] = column{title: "LOST", min: 8, ideal: 8, rank: 4, numeric: true}
	columns[colSpark] = column{title: "2 MIN", min: groupSpans / 2, ideal: groupSpans, rank: 11}
	columns[colMostly] = column{title: "MOSTLY", min: 14, ideal: 22, rank: 5}
	if width < 100 {
		columns[colOther].min = 1 << 20 // what it would take is better spent on names
	}
	if by == byCause {
		columns[colMostly] = column{min: 1 << 20, rank: 20}
	}
	if by != byProgram && by != byProcess {
		columns[colWhere] = column{min: 1 << 20, rank: 20}
	}
	return columns
}

func (s groupSort) column() int {
	return [...]int{sortTotal: colTotal, sortAbortive: colAbortive, sortGroupLost: colGroupLost, sortMinute: colMinute, sortLast: colLast, sortName: colName}[s]
}

// render draws the table: a line of titles and the rows.
func (l *groupList) render(s *screen, width int) []string {
	columns := groupTable(l.by, width, s.g)
	columns[l.sort.column()].rank = 0
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
	case is, col == colLast, col == colWhere:
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
		return row.key.title(by, width, s.g)
	case colWhere:
		return safetext.Escape(shortPlace(row.key.place))
	case colTotal:
		return human.ShortCount(row.total)
	case colGraceful:
		return human.ShortCount(row.counts[model.Graceful])
	case colAbortive:
		return human.ShortCount(row.counts[model.Abortive])
	case colLinger:
		return human.ShortCount(row.counts[model.LingerTimeout])
	case colFailed:
		return human.ShortCount(row.counts[model.FailedOpen])
	case colOther:
		return human.ShortCount(row.counts[model.Silent] + row.counts[model.VerdictUnknown])
	case colMinute:
		return human.ShortCount(row.minute)
	case colLast:
		return clockWord(row.last, s.cfg.Zone, 0)
	case colGroupLost:
		return human.Bytes(row.lost)
	case colMostly:
		return row.mostly.String()
	default:
		return sparkline(squeeze(row.curve[:], width), s.g.spark)
	}
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

// title names a group in at most width columns.
func (k groupKey) title(by dimension, width int, g *glyphs) string {
	if k.others {
		return "(others)"
	}
	switch by {
	case byCause:
		return k.cause.String()
	case byProgram, byProcess:
		name, pid := safetext.Escape(k.name), ""
		switch {
		case name == "":
			name = "(not known)"
		case strings.TrimSpace(name) == "":
			name = strconv.Quote(name) // so that it is seen
		}
		if by == byProcess && k.pid != 0 {
			pid = "[" + strconv.Itoa(k.pid) + "]"
		}
		return cutTail(name, pid, width, g.dots)
	default:
		if !k.prefix.Addr().IsValid() {
			return "(not known)"
		}
		if k.prefix.IsSingleIP() {
			return cut(k.prefix.Addr().String(), width, g.dots)
		}
		return cut(k.prefix.String(), width, g.dots)
	}
}

// shortPlace cuts what looks like a container ID.
func shortPlace(place string) string {
	if len(place) == 64 {
		return shortID(place)
	}
	return place
}
