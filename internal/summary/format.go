package summary

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/safetext"
)

// cell is clip, filled up to width columns.
func cell(name string, width int) string { return fill(clip(name, width), width) }

func fill(text string, width int) string {
	return text + strings.Repeat(" ", max(width-columns(text), 0))
}

// clip returns a name made safe and cut to width columns.
func clip(name string, width int) string { return cut(strings.TrimSpace(safetext.Escape(name)), width) }

// cut returns the first width columns of a text; a tilde says that there is more.
func cut(text string, width int) string {
	most := longest(width)
	if len(text) <= most && columns(text) <= width {
		return text
	}
	end := 0
	for i := range text {
		if i > most || columns(text[:i]) >= width {
			break
		}
		end = i
	}
	return strings.TrimRight(text[:end], " ") + "~"
}

// longest is how many bytes of a text are looked at to fill width columns: safe characters
// have 12 at most with their marks, and a file may have names of megabytes.
func longest(width int) int { return 16 * max(width, 1) }

// middle is clip that leaves out the middle: addresses differ at their end.
func middle(name string, width int) string {
	name = strings.TrimSpace(safetext.Escape(name))
	if columns(name) <= width {
		return name
	}
	head := cut(name, (width+1)/2)
	name = name[max(len(name)-longest(width), 0):]
	for i := range name {
		if !utf8.RuneStart(name[i]) {
			continue // of a character that was cut
		}
		if columns(name[i:]) <= width-columns(head) {
			return head + name[i:]
		}
	}
	return head
}

// columns is how wide s is on a terminal.
func columns(s string) int { return ansi.StringWidth(s) }

func plural(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// sortBy sorts by a number, highest first, and then by name.
func sortBy[T any](list []T, by func(T) (uint64, string)) {
	slices.SortFunc(list, func(a, b T) int {
		n, name := by(a)
		m, other := by(b)
		if c := cmp.Compare(m, n); c != 0 {
			return c
		}
		return cmp.Compare(name, other)
	})
}
