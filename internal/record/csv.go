package record

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/closetrace/closetrace/model"
)

// CSV writes teardowns, outcomes, failed closes, stray resets and counts as comma-separated values
// (RFC 4180) with a head line, for spreadsheets. The column names are those of
// a line; what is not known is empty. The other kinds have no row.
type CSV struct {
	w      *csv.Writer
	row    []string
	headed bool
}

// NewCSV returns a CSV that writes to w. Flush ends it.
func NewCSV(w io.Writer) *CSV { return &CSV{w: csv.NewWriter(w)} }

// Write writes the row of r, and the head line before the first.
func (c *CSV) Write(r *model.Record) error {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindStray, model.KindCounts:
	case model.KindUnknown, model.KindStart, model.KindLoss, model.KindCounters, model.KindClock, model.KindTable, model.KindStop:
		return nil
	}
	if err := c.head(); err != nil {
		return err
	}
	c.row = cells(c.row[:0], r)
	if r.Kind != model.KindTeardown && r.Kind != model.KindOutcome {
		clear(c.row[judgedFrom:judgedTo])
	}
	for i := range c.row {
		c.row[i] = harmless(c.row[i])
	}
	return c.w.Write(c.row)
}

func (c *CSV) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	return c.w.Write(columns)
}

// Flush writes what is left, and the head line if there was no row.
func (c *CSV) Flush() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	if err := c.w.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// harmless keeps a spreadsheet from taking a name for a formula (OWASP, CSV injection),
// and a name from breaking the row or reversing it.
func harmless(value string) string {
	value = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return '\ufffd'
		}
		return r
	}, value), "\ufffd")
	// Also full width, which a spreadsheet in Japanese takes for the same.
	first, _ := utf8.DecodeRuneInString(value)
	if value != "" && strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", first) && !isNumber(value) {
		return "'" + value
	}
	return value
}

func isNumber(value string) bool {
	_, err := strconv.ParseInt(value, 10, 64)
	return err == nil && value[0] != '+'
}

// The text of a cell: empty for what is not known.

func ifTrue(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func nonZero[T int | uint16 | uint32 | uint64](n T) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func show[T bool | int | uint8 | uint32 | uint64 | time.Duration](o model.Opt[T]) string {
	v, known := o.Get()
	if !known {
		return ""
	}
	if d, ok := any(v).(time.Duration); ok {
		return strconv.FormatInt(int64(d), 10)
	}
	return fmt.Sprint(v)
}

func ifKnown(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func nameIf[T interface {
	~uint8 | ~int64 | ~uint64
	String() string
}](v T) string {
	if v == 0 {
		return ""
	}
	return v.String()
}
