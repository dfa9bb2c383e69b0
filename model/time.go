package model

import (
	"fmt"
	"time"
)

// Time is a point in time as nanoseconds since the Unix epoch, UTC; 0 is
// unknown. Sources make it, nothing after them reads a clock.
type Time int64

// TimeLayout has exactly six fractional digits: DuckDB reads seven or nine as text.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// TimeOf converts t.
func TimeOf(t time.Time) Time { return Time(t.UnixNano()) }

// Go returns t as a [time.Time] in UTC.
func (t Time) Go() time.Time { return time.Unix(0, int64(t)).UTC() }

// Sub returns the duration t-u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Add returns t+d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// String returns RFC 3339 in UTC with exactly six fractional digits.
func (t Time) String() string { return t.Go().Format(TimeLayout) }

// AppendText appends what String returns.
func (t Time) AppendText(b []byte) ([]byte, error) { return t.Go().AppendFormat(b, TimeLayout), nil }

// MarshalText implements [encoding.TextMarshaler].
func (t Time) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// UnmarshalText implements [encoding.TextUnmarshaler]; any RFC 3339 time is taken.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("parse time %q: %w", text, err)
	}
	*t = TimeOf(parsed)
	return nil
}
