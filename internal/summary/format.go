package summary

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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
	if columns(text) <= width {
		return text
	}
	end := 0
	for i := range text {
		if columns(text[:i]) < width {
			end = i
		}
	}
	return strings.TrimRight(text[:end], " ") + "~"
}

// middle is clip that leaves out the middle: addresses differ at their end.
func middle(name string, width int) string {
	name = strings.TrimSpace(safetext.Escape(name))
	if columns(name) <= width {
		return name
	}
	head := cut(name, (width+1)/2)
	for i := range name {
		if columns(name[i:]) <= width-columns(head) {
			return head + name[i:]
		}
	}
	return head
}

// columns is how wide s is on a terminal.
func columns(s string) int { return ansi.StringWidth(s) }

func percent(n, total uint64) string {
	if total == 0 {
		return ""
	}
	p := 100 * float64(n) / float64(total)
	if p < 0.1 && n > 0 {
		return "<0.1"
	}
	return strconv.FormatFloat(p, 'f', 1, 64)
}

// Count returns n with commas between thousands.
func Count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// perSecond returns a rate in words.
func perSecond(rate float64) string {
	if rate >= 100 {
		return Count(uint64(rate+.5)) + " a second"
	}
	return strconv.FormatFloat(rate, 'g', 3, 64) + " a second"
}

// Bytes returns n in units of 1000, with three digits at most.
func Bytes(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10) + "B"
	}
	v := float64(n)
	unit := -1
	for v >= 999.5 {
		v /= 1000
		unit++
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Log10(v))), 64) + "kMGTPE"[unit:unit+1]
}

// Round returns d with three digits or so.
func Round(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return d.Round(time.Minute).String()[:len(d.Round(time.Minute).String())-2]
	case d >= time.Minute:
		return d.Round(time.Second).String()
	}
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}

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
