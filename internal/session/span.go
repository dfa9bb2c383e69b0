package session

import (
	"cmp"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// Span is a part of a recording, by time; the zero value is all of it.
type Span struct{ Since, Until Moment }

// String is "" for all, else what was asked for.
func (s *Span) String() string {
	var parts []string
	if s.Since.text != "" {
		parts = append(parts, "since "+s.Since.text)
	}
	if s.Until.text != "" {
		parts = append(parts, "until "+s.Until.text)
	}
	return strings.Join(parts, " ")
}

// Chosen is what of a recording s and the filter choose, in words; "" is all of it.
func (s *Span) Chosen(filter *model.Filter) string {
	parts := []string{}
	if f := filter.String(); f != "" {
		parts = append(parts, "what matches "+f)
	}
	if t := s.String(); t != "" {
		parts = append(parts, t)
	}
	return strings.Join(parts, ", ")
}

// Moment is a time, or a time of the day. It is a value of a flag.
type Moment struct {
	text  string
	at    time.Time
	clock bool // without a day
}

// The forms of a moment; those without a zone are local.
var momentLayouts = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// Set implements pflag.Value.
func (m *Moment) Set(text string) error {
	m.text = text
	for _, layout := range []string{"15:04:05", "15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			m.at, m.clock = at, true
			return nil
		}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		m.at, m.clock = at, false
		return nil
	}
	for _, layout := range momentLayouts {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			m.at, m.clock = at, false
			return nil
		}
	}
	return fmt.Errorf("%q is not a time such as 17:03, 17:03:05, '2026-11-20 17:03' or 2026-11-20T17:03:05Z", text)
}

// String implements pflag.Value.
func (m *Moment) String() string { return m.text }

// Type implements pflag.Value.
func (*Moment) Type() string { return "TIME" }

// on makes a time of the day one with a day: that of begin, or the next one if it would be
// long before begin. A moment a little before begin, as people round them, is on its day.
func (m *Moment) on(begin time.Time) {
	if !m.clock {
		return
	}
	b := begin.In(time.Local)
	at := time.Date(b.Year(), b.Month(), b.Day(), m.at.Hour(), m.at.Minute(), m.at.Second(), m.at.Nanosecond(), time.Local)
	if b.Sub(at) > 12*time.Hour {
		at = at.AddDate(0, 0, 1)
	}
	m.at, m.clock = at, false
}

// from makes the moments of s those of a recording that begins then.
func (s *Span) from(begin model.Time) {
	s.Since.on(begin.Go())
	if !s.Until.clock {
		return
	}
	if since := model.TimeOf(s.Since.at); s.Since.text != "" {
		begin = max(begin, since)
	}
	s.Until.on(begin.Go())
	if s.Since.text != "" && s.Until.at.Before(s.Since.at) {
		s.Until.at = s.Until.at.AddDate(0, 0, 1) // since 23:50 until 00:10
	}
}

// chosenSpan is a span of a recording.
type chosenSpan struct {
	span         *Span
	began        bool // since and until have a day
	since, until model.Time
	before       *model.Record // the start line of a recording that began before
	ends         ledger.Ledger[struct{}]
	first, last  model.Time // of all lines
	start        model.Time // of the recording that is read
	any          bool       // some of it is of the span
}

// of yields the lines of begin and end, and of the others those of the span. An outcome
// belongs to its teardown. If the recording was over before the span, or began after it,
// there are none.
func (c *chosenSpan) of(all iter.Seq2[model.Record, error]) iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		for r, err := range all {
			last := r
			if err == nil && !c.has(&last) {
				continue
			}
			if start := c.before; start != nil && err == nil {
				if c.before = nil; !yield(*start, nil) {
					return
				}
			}
			if !yield(last, err) {
				return
			}
		}
	}
}

// begin gives the span a day, that of the first line.
func (c *chosenSpan) begin(when model.Time) {
	c.began, c.since, c.until = true, -1<<63, 1<<63-1
	c.span.from(when)
	if c.span.Since.text != "" {
		c.since = model.TimeOf(c.span.Since.at)
	}
	if c.span.Until.text != "" {
		c.until = model.TimeOf(c.span.Until.at)
	}
}

// has reports whether a line is one of the span, and bounds the times of begin and end by it.
func (c *chosenSpan) has(r *model.Record) bool {
	when := r.Time()
	if !c.began && when != 0 {
		c.begin(when)
	}
	if when != 0 {
		c.first, c.last = min(cmp.Or(c.first, when), when), max(c.last, when)
	}
	inside := c.since <= when && when < c.until
	switch r.Kind {
	case model.KindStart:
		c.start = when
		if c.before = nil; when < c.since { // it may be over before
			start := *r
			start.Start.Time = c.since
			c.before = &start
			return false
		}
	case model.KindStop:
		if inside = c.since <= when && cmp.Or(c.start, c.first) < c.until; inside {
			r.Stop.Time = min(when, c.until)
			r.Stop.Lost, r.Stop.Losses = 0, model.Losses{} // losses in the span are lines of their own
		}
	case model.KindTeardown:
		if inside {
			c.ends.Add(r, struct{}{})
		}
	case model.KindOutcome:
		inside = inside || c.ends.Of(r.Teardown.ID) != nil
	case model.KindUnknown, model.KindLoss, model.KindCounters, model.KindClock, model.KindTable, model.KindCloseFailed, model.KindStray, model.KindCounts:
	}
	c.any = c.any || inside
	return inside
}

// outside says that nothing of a recording is of the span, "" if some is.
func (c *chosenSpan) outside() string {
	if c.any || c.first == 0 {
		return ""
	}
	day := func(t model.Time) string { return t.Go().In(time.Local).Format("2006-01-02 15:04:05") }
	return fmt.Sprintf("nothing %v: the recording goes from %s to %s", c.span, day(c.first), day(c.last))
}
