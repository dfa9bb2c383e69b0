package session

import (
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

// of yields the lines of begin and end, and of the others those of the span. An outcome
// belongs to its teardown.
func (s *Span) of(all iter.Seq2[model.Record, error]) iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		chosen := chosenSpan{span: s}
		for r, err := range all {
			last := r
			if err == nil && !chosen.has(&last) {
				continue
			}
			chosen.bound(&last)
			if !yield(last, err) {
				return
			}
		}
	}
}

// chosenSpan is a span of a recording whose begin is known.
type chosenSpan struct {
	span         *Span
	began        bool
	since, until model.Time
	ends         ledger.Ledger[struct{}]
}

// bound makes the lines of begin and end those of the span.
func (c *chosenSpan) bound(r *model.Record) {
	switch r.Kind {
	case model.KindStart:
		r.Start.Time = max(r.Start.Time, c.since)
	case model.KindStop:
		r.Stop.Time = max(min(r.Stop.Time, c.until), c.since) // the recording may end before
		r.Stop.Lost, r.Stop.Losses = 0, model.Losses{}        // losses in the span are lines of their own
	default:
	}
}

func (c *chosenSpan) has(r *model.Record) bool {
	when := r.Time()
	if !c.began && when != 0 {
		c.began, c.until = true, 1<<63-1
		c.span.from(when)
		if c.span.Since.text != "" {
			c.since = model.TimeOf(c.span.Since.at)
		}
		if c.span.Until.text != "" {
			c.until = model.TimeOf(c.span.Until.at)
		}
	}
	inside := c.since <= when && when < c.until
	switch r.Kind {
	case model.KindStart, model.KindStop:
		return true
	case model.KindTeardown:
		if inside {
			c.ends.Add(r, struct{}{})
		}
	case model.KindOutcome:
		return inside || c.ends.Of(r.Teardown.ID) != nil
	case model.KindUnknown, model.KindLoss, model.KindCounters, model.KindClock, model.KindTable, model.KindCloseFailed, model.KindStray, model.KindCounts:
	}
	return inside
}
