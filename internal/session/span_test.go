package session

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestSpanOfClock: a time of the day is on the day on which the recording begins, also a
// little before it; what is long before is on the next day.
func TestSpanOfClock(t *testing.T) {
	for _, c := range []struct{ begin, since, until, wantSince, wantUntil string }{
		{"20T17:05:00", "17:00", "17:10", "20T17:00:00", "20T17:10:00"},
		{"20T17:05:00", "", "17:00", "", "20T17:00:00"},
		{"20T23:50:00", "00:10", "00:30", "21T00:10:00", "21T00:30:00"},
		{"20T23:40:00", "23:50", "00:10", "20T23:50:00", "21T00:10:00"},
		{"20T05:00:00", "06:00", "05:30", "20T06:00:00", "21T05:30:00"},
		{"20T05:00:00", "2026-11-22T06:00", "06:30", "22T06:00:00", "22T06:30:00"},
		{"20T05:00:00", "04:00", "2026-11-22T06:00", "20T04:00:00", "22T06:00:00"},
	} {
		const layout = "2006-01-02T15:04:05"
		begin, err := time.ParseInLocation(layout, "2026-11-"+c.begin, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		var s Span
		for m, text := range map[*Moment]string{&s.Since: c.since, &s.Until: c.until} {
			if text == "" {
				continue
			}
			if err := m.Set(text); err != nil {
				t.Fatal(err)
			}
		}
		s.from(model.TimeOf(begin))
		for range 2 { // a second file, of later, changes nothing
			for m, want := range map[*Moment]string{&s.Since: c.wantSince, &s.Until: c.wantUntil} {
				if want == "" {
					continue
				}
				if got := m.at.Format(layout); got != "2026-11-"+want {
					t.Errorf("begin %s, since %s, until %s: %s is %s, want %s", c.begin, c.since, c.until, m, got, want)
				}
			}
			s.from(model.TimeOf(begin.Add(20 * time.Hour)))
		}
	}
}
