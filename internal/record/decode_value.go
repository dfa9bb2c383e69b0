package record

import (
	"encoding"
	"fmt"
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// str reads a string; null leaves v as it is.
func (d *Decoder) str(member string, v *string) {
	if b, ok := d.stringValue(member); ok {
		*v = d.intern(b)
	}
}

func (d *Decoder) stringValue(member string) ([]byte, bool) {
	d.member = member
	switch d.peek() {
	case '"':
		return d.text()
	case 'n':
		d.skip(0)
	default:
		d.wrong("a string")
	}
	return nil, false
}

// name reads a name of the vocabulary. A name that this version does not know stays
// unknown and is noted: the rest of the line is still valid.
func (d *Decoder) name(member string, v encoding.TextUnmarshaler) {
	if b, ok := d.stringValue(member); ok {
		d.vocabulary(member, b, v)
	}
}

func (d *Decoder) vocabulary(member string, b []byte, v encoding.TextUnmarshaler) {
	if err := v.UnmarshalText(b); err != nil && d.unknown == "" {
		d.unknown = fmt.Sprintf("%s: unknown name %.40q", member, b)
	}
}

func (d *Decoder) bool(member string, v *bool) {
	d.member = member
	switch d.peek() {
	case 't':
		*v = d.literal("true")
	case 'f':
		*v = !d.literal("false")
	case 'n':
		d.skip(0)
	default:
		d.wrong("true or false")
	}
}

func (d *Decoder) optBool(member string, v *model.Opt[bool]) {
	c := d.peek()
	var b bool
	d.bool(member, &b)
	if c == 't' || c == 'f' {
		*v = model.Some(b)
	}
}

// signed reads an integer of the type of v, between low and high.
func signed[T ~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64](d *Decoder, member string, v *T, low int64, high uint64) bool {
	d.member = member
	negative, n, ok := d.integer(low, high)
	switch {
	case !ok:
		return false
	case negative:
		*v = T(-int64(n))
	default:
		*v = T(n)
	}
	return true
}

func optional[T ~int | ~int32 | ~int64 | ~uint8 | ~uint32 | ~uint64](d *Decoder, member string, v *model.Opt[T], low int64, high uint64) {
	var n T
	if signed(d, member, &n, low, high) {
		*v = model.Some(n)
	}
}

func (d *Decoder) path(member string, v *model.Path) {
	d.member = member
	*v = model.Path{}
	for ok := d.elements(); ok; ok = d.more() {
		d.state = model.StateUnknown
		d.name(member, &d.state)
		v.Append(d.state)
	}
}

func (d *Decoder) observations(member string, v *model.Observations) {
	d.member = member
	*v = 0
	for ok := d.elements(); ok; ok = d.more() {
		b, isText := d.stringValue(member)
		if !isText {
			continue
		}
		if n, known := observation(b); known {
			v.Add(n)
		} else if d.unknown == "" {
			d.unknown = fmt.Sprintf("%s: unknown observation %.40q", member, b)
		}
	}
}

// observation returns the observation with that name. One without a name prints as a
// number, which is not a name.
func observation(name []byte) (model.Observation, bool) {
	if len(name) == 0 || name[0] >= '0' && name[0] <= '9' {
		return 0, false
	}
	for n := model.Observation(0); int(n) < model.NumObservations; n++ {
		if n.String() == string(name) {
			return n, true
		}
	}
	return 0, false
}

func (d *Decoder) fingerprint(member string, v *model.Fingerprint) { d.name(member, v) }

func (d *Decoder) time(member string, v *model.Time) {
	b, ok := d.stringValue(member)
	if !ok {
		return
	}
	if t, ok := parseTime(b); ok {
		*v = t
		return
	}
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil || !inRange(t.UTC().Year()) {
		if d.mistype == "" {
			d.mistype = member + ": want an RFC 3339 time"
		}
		return
	}
	*v = model.TimeOf(t)
}

// inRange reports whether nanoseconds since 1970 hold all of a year.
func inRange(year int) bool { return year > 1677 && year < 2262 }

// parseTime reads the one layout that is written, 2006-01-02T15:04:05.000000Z.
func parseTime(b []byte) (model.Time, bool) {
	const layout = "0000-00-00T00:00:00.000000Z"
	if len(b) != len(layout) {
		return 0, false
	}
	for i := range layout {
		if digit := b[i] >= '0' && b[i] <= '9'; digit != (layout[i] == '0') || !digit && b[i] != layout[i] {
			return 0, false
		}
	}
	field := func(from, to int) (n int) {
		for _, c := range b[from:to] {
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := field(0, 4), field(5, 7), field(8, 10)
	hour, minute, second := field(11, 13), field(14, 16), field(17, 19)
	t := time.Date(year, time.Month(month), day, hour, minute, second, field(20, 26)*1000, time.UTC)
	if !inRange(year) || t.Month() != time.Month(month) || t.Day() != day || t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return 0, false // out of range, and time.Date moved it on
	}
	return model.TimeOf(t), true
}

func (d *Decoder) address(member string, v *netip.Addr) {
	b, ok := d.stringValue(member)
	if !ok {
		return
	}
	if a, ok := parseIPv4(b); ok {
		*v = a
		return
	}
	a, err := netip.ParseAddr(d.intern(b))
	if err != nil {
		if d.mistype == "" {
			d.mistype = member + ": want an address"
		}
		return
	}
	*v = a.Unmap()
}

// parseIPv4 reads four decimal numbers without an allocation.
func parseIPv4(b []byte) (netip.Addr, bool) {
	var octets [4]byte
	field, value, digits := 0, 0, 0
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9' && (digits == 0 || value != 0):
			value = value*10 + int(c-'0')
			digits++
			if value > 255 {
				return netip.Addr{}, false
			}
		case c == '.' && digits > 0 && field < 3:
			octets[field] = byte(value)
			field, value, digits = field+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if field != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	octets[3] = byte(value)
	return netip.AddrFrom4(octets), true
}
