package tui

import "strings"

// column is one column of a table. Columns are given in the order in which
// they appear; which of them do, and how wide, depends on the room.
type column struct {
	title   string
	min     int  // below this it is left out
	ideal   int  // more than this is not needed
	rank    int  // the lowest is the last to be left out
	late    bool // gets more than min only after all others
	numeric bool
}

// fitColumns returns the width of each column, 0 for those left out, so that
// they and one space between them fill at most width.
func fitColumns(columns []column, width int) []int {
	widths := make([]int, len(columns))
	used := -1
	for _, i := range byRank(columns) {
		if used+1+columns[i].min <= width {
			widths[i] = columns[i].min
			used += 1 + columns[i].min
		}
	}
	for _, late := range []bool{false, true} {
		for _, i := range byRank(columns) {
			if widths[i] == 0 || columns[i].late != late {
				continue
			}
			more := max(min(columns[i].ideal-widths[i], width-used), 0)
			widths[i] += more
			used += more
		}
	}
	return widths
}

// byRank returns the indexes of columns, the most important first.
func byRank(columns []column) []int {
	order := make([]int, 0, len(columns))
	for i := range columns {
		k := len(order)
		order = append(order, i)
		for ; k > 0 && columns[order[k-1]].rank > columns[i].rank; k-- {
			order[k] = order[k-1]
		}
		order[k] = i
	}
	return order
}

// fitted puts one text into its column.
func (c *column) fitted(text string, width int, g *glyphs) string {
	if c.numeric {
		return right(text, width, g.dots)
	}
	return left(text, width, g.dots)
}

// headings returns the line of titles; the sorted column is marked.
func headings(columns []column, widths []int, sorted int, descending bool, g *glyphs) string {
	var b strings.Builder
	for i := range columns {
		if widths[i] == 0 {
			continue
		}
		title := columns[i].title
		if i == sorted {
			mark := g.up
			if descending {
				mark = g.down
			}
			title = cut(title, widths[i]-1, "") + mark
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(columns[i].fitted(title, widths[i], g))
	}
	return b.String()
}
