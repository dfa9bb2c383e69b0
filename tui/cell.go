package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// spaces is cut to pad cells.
const spaces = "                                                                                                    "

func blanks(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(spaces) {
		return spaces[:n]
	}
	return strings.Repeat(" ", n)
}

// textWidth returns the columns that s takes, and whether s is printable ASCII.
func textWidth(s string) (width int, ascii bool) {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return ansi.StringWidth(s), false
		}
	}
	return len(s), true
}

// cut returns s in at most width columns; dots mark the cut.
func cut(s string, width int, dots string) string {
	if width <= 0 {
		return ""
	}
	w, ascii := textWidth(s)
	switch {
	case w <= width:
		return s
	case ascii:
		room := width - ansi.StringWidth(dots)
		if room < 0 {
			return s[:width]
		}
		return s[:room] + dots
	default:
		return ansi.Truncate(s, width, dots)
	}
}

// cutTail cuts head and never tail, so that name[pid] keeps its pid and
// address:port its port, unless there is no room for tail alone.
func cutTail(head, tail string, width int, dots string) string {
	t, _ := textWidth(tail)
	if h, _ := textWidth(head); h+t <= width {
		return head + tail
	}
	if room := width - t; room > 1 {
		return cut(head, room, dots) + tail
	}
	return cut(head+tail, width, dots)
}

// cutMiddle is cutTail that leaves out the middle of head: IPv6 addresses of one
// network differ at their end.
func cutMiddle(head, tail string, width int, dots string) string {
	h, ascii := textWidth(head)
	t, _ := textWidth(tail)
	room := width - t - ansi.StringWidth(dots)
	if h+t <= width || !ascii || room < 4 {
		return cutTail(head, tail, width, dots)
	}
	begin := room / 3
	return head[:begin] + dots + head[len(head)-(room-begin):] + tail
}

// left returns s in exactly width columns.
func left(s string, width int, dots string) string {
	s = cut(s, width, dots)
	w, _ := textWidth(s)
	return s + blanks(width-w)
}

// right is left for numbers.
func right(s string, width int, dots string) string {
	s = cut(s, width, dots)
	w, _ := textWidth(s)
	return blanks(width-w) + s
}
