package record

import (
	"net/netip"
	"strconv"

	"github.com/closetrace/closetrace/model"
)

// MaxString is the longest string, in bytes, that a line holds; the rest of a
// longer one is left out. Only a command line can be longer (Linux allows 2 MiB
// of arguments), and a line must stay shorter than [MaxLine].
const MaxString = 32 << 10

// encoder writes members of objects, each followed by a comma; end turns the last comma
// into the bracket. Every function takes the line so far and returns the longer one: in
// registers, where a field of the encoder would be loaded and stored for each member.
type encoder struct {
	parts *parts
	empty emptiness // of the objects that a teardown always has
	usual bool      // facts with their usual values are left out
	judged
}

// emptiness says what end does with an object without members.
type emptiness bool

const (
	omitEmpty emptiness = false // the object is absent
	keepEmpty emptiness = true  // the object is written as {}
)

// Keys are given as they are written, with quotes and colon: one append for each of the
// sixty members of a line.

// open begins an object; end is given the position before it.
func open(b []byte, key string) []byte { return append(append(b, key...), '{') }

func end(b []byte, at int, empty emptiness) []byte {
	switch last := len(b) - 1; {
	case b[last] == ',':
		b[last] = '}'
		return append(b, ',')
	case empty == keepEmpty:
		return append(b, '}', ',')
	default:
		return b[:at]
	}
}

// str writes a string that may hold anything; an empty one is absent.
func str(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return append(quote(append(b, key...), value), ',')
}

// name writes a name of the vocabulary, which needs no escaping.
func name(b []byte, key, value string) []byte {
	b = append(append(b, key...), '"')
	b = append(b, value...)
	return append(b, '"', ',')
}

// word is name where the name may be empty, which is then absent.
func word(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return name(b, key, value)
}

func uinteger(b []byte, key string, v uint64) []byte {
	b = append(b, key...)
	if v < 10 { // most are
		return append(b, byte('0'+v), ',')
	}
	return append(strconv.AppendUint(b, v, 10), ',')
}

func uintIf[T ~uint8 | ~uint16 | ~uint32 | ~uint64](b []byte, key string, v T) []byte {
	if v == 0 {
		return b
	}
	return uinteger(b, key, uint64(v))
}

func intIf[T ~int | ~int32 | ~int64](b []byte, key string, v T) []byte {
	if v == 0 {
		return b
	}
	return append(strconv.AppendInt(append(b, key...), int64(v), 10), ',')
}

func flag(b []byte, key string, v bool) []byte {
	b = append(b, key...)
	if v {
		return append(b, "true,"...)
	}
	return append(b, "false,"...)
}

func flagIf(b []byte, key string, v bool) []byte {
	if !v {
		return b
	}
	return flag(b, key, true)
}

func boolean(b []byte, key string, o model.Opt[bool]) []byte {
	v, known := o.Get()
	if !known {
		return b
	}
	return flag(b, key, v)
}

func number[T ~int | ~int32 | ~int64 | ~uint8 | ~uint32 | ~uint64](b []byte, key string, o model.Opt[T]) []byte {
	v, known := o.Get()
	switch {
	case !known:
		return b
	case v < 0:
		return append(strconv.AppendInt(append(b, key...), int64(v), 10), ',')
	default:
		return uinteger(b, key, uint64(v))
	}
}

// endList turns the comma after the last element into the bracket.
func endList(b []byte) []byte {
	b[len(b)-1] = ']'
	return append(b, ',')
}

// path writes the names of states, which need no escaping.
func path(b []byte, key string, p *model.Path) []byte {
	if p.IsZero() {
		return b
	}
	b = append(append(b, key...), '[')
	for _, s := range p.States() {
		b = name(b, "", s.String())
	}
	return endList(b)
}

func observations(b []byte, key string, set *model.Observations) []byte {
	if *set == 0 {
		return b
	}
	b = append(append(b, key...), '[')
	for n := model.Observation(0); int(n) < model.NumObservations; n++ {
		if set.Has(n) {
			b = name(b, "", n.String())
		}
	}
	return endList(b)
}

// fingerprint writes 16 hexadecimal digits.
func fingerprint(b []byte, key string, f *model.Fingerprint) []byte {
	if *f == 0 {
		return b
	}
	b = append(append(b, key...), '"')
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hex[*f>>shift&0xf])
	}
	return append(b, '"', ',')
}

// addressIf writes an address; only its zone can hold a character that needs
// escaping.
func addressIf(b []byte, key string, a netip.Addr) []byte {
	switch {
	case !a.IsValid():
		return b
	case a.Zone() != "":
		return str(b, key, a.String())
	default:
		b = a.AppendTo(append(append(b, key...), '"'))
		return append(b, '"', ',')
	}
}

func (e *encoder) time(b []byte, key string, t model.Time) []byte {
	b = e.moment(append(append(b, key...), '"'), t)
	return append(b, '"', ',')
}

// moment appends t in [model.TimeLayout]. Most times are of the second of the last
// record or of its neighbour, whose texts are copied.
func (e *encoder) moment(b []byte, t model.Time) []byte {
	if t < 1e9 { // a remainder below 0, or a second that stands for none
		return appendTime(b, t)
	}
	second := int64(t) / 1e9
	micros := int(int64(t)-second*1e9) / 1000
	kept := &e.parts.seconds[second%2]
	if kept.second != second {
		kept.second = second
		appendTime(kept.text[:0], t)
	}
	b = append(b, kept.text[:]...)
	put(b[len(b)-len("000000Z"):len(b)-len("Z")], micros)
	return b
}

func (e *encoder) timeIf(b []byte, key string, t model.Time) []byte {
	if t == 0 {
		return b
	}
	return e.time(b, key, t)
}

// appendTime appends t in [model.TimeLayout]; time.AppendFormat takes five
// times as long for a layout that it does not know.
func appendTime(b []byte, t model.Time) []byte {
	when := t.Go()
	year, month, day := when.Date()
	hour, minute, second := when.Clock()
	b = append(digits(b, year, 4), '-')
	b = append(digits(b, int(month), 2), '-')
	b = append(digits(b, day, 2), 'T')
	b = append(digits(b, hour, 2), ':')
	b = append(digits(b, minute, 2), ':')
	b = append(digits(b, second, 2), '.')
	return append(digits(b, when.Nanosecond()/1000, 6), 'Z')
}

// digits appends v with exactly width digits, an even number.
func digits(b []byte, v, width int) []byte {
	b = append(b, "000000"[:width]...)
	put(b[len(b)-width:], v)
	return b
}

// put writes v with as many digits as d has room for, an even number.
func put(d []byte, v int) {
	for i := len(d) - 2; i >= 0; i -= 2 {
		pair := v % 100 * 2
		d[i], d[i+1] = pairs[pair], pairs[pair+1]
		v /= 100
	}
}

// pairs holds the two digits of each number below 100.
const pairs = "" +
	"0001020304050607080910111213141516171819" +
	"2021222324252627282930313233343536373839" +
	"4041424344454647484950515253545556575859" +
	"6061626364656667686970717273747576777879" +
	"8081828384858687888990919293949596979899"
