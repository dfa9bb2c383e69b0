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

// encoder appends members of objects, each followed by a comma; close turns
// the last comma into the bracket.
type encoder struct {
	b     []byte
	parts *parts
	empty emptiness // of the objects that a teardown always has
	usual bool      // facts with their usual values are left out
	judged
}

// emptiness says what close does with an object without members.
type emptiness bool

const (
	omitEmpty emptiness = false // the object is absent
	keepEmpty emptiness = true  // the object is written as {}
)

// key appends the beginning of a member. Keys are given as they are written, with
// quotes and colon: one append for each of the sixty members of a line.
func (e *encoder) key(key string) { e.b = append(e.b, key...) }

// open begins an object and returns the position for close.
func (e *encoder) open(key string) int {
	at := len(e.b)
	e.b = append(append(e.b, key...), '{')
	return at
}

func (e *encoder) close(at int, empty emptiness) {
	switch last := len(e.b) - 1; {
	case e.b[last] == ',':
		e.b[last] = '}'
		e.b = append(e.b, ',')
	case empty == keepEmpty:
		e.b = append(e.b, '}', ',')
	default:
		e.b = e.b[:at]
	}
}

// str writes a string that may hold anything; an empty one is absent.
func (e *encoder) str(key, value string) {
	if value != "" {
		e.b = append(quote(append(e.b, key...), value), ',')
	}
}

// name writes a name of the vocabulary, which needs no escaping.
func (e *encoder) name(key, value string) {
	b := append(append(e.b, key...), '"')
	b = append(b, value...)
	e.b = append(b, '"', ',')
}

// word is name where the name may be empty, which is then absent.
func (e *encoder) word(key, value string) {
	if value != "" {
		e.name(key, value)
	}
}

func (e *encoder) uint(key string, v uint64) {
	b := append(e.b, key...)
	if v < 10 { // most are
		e.b = append(b, byte('0'+v), ',')
		return
	}
	e.b = append(strconv.AppendUint(b, v, 10), ',')
}

func uintIf[T ~uint8 | ~uint16 | ~uint32 | ~uint64](e *encoder, key string, v T) {
	if v != 0 {
		e.uint(key, uint64(v))
	}
}

func intIf[T ~int | ~int32 | ~int64](e *encoder, key string, v T) {
	if v != 0 {
		e.key(key)
		e.b = strconv.AppendInt(e.b, int64(v), 10)
		e.b = append(e.b, ',')
	}
}

func (e *encoder) flag(key string, v bool) {
	if v {
		e.b = append(append(e.b, key...), "true,"...)
	} else {
		e.b = append(append(e.b, key...), "false,"...)
	}
}

func (e *encoder) flagIf(key string, v bool) {
	if v {
		e.flag(key, true)
	}
}

func boolean(e *encoder, key string, o model.Opt[bool]) {
	if v, known := o.Get(); known {
		e.flag(key, v)
	}
}

func number[T ~int | ~int32 | ~int64 | ~uint8 | ~uint32 | ~uint64](e *encoder, key string, o model.Opt[T]) {
	v, known := o.Get()
	switch {
	case !known:
	case v < 0:
		e.key(key)
		e.b = append(strconv.AppendInt(e.b, int64(v), 10), ',')
	default:
		e.uint(key, uint64(v))
	}
}

// endList turns the comma after the last element into the bracket.
func (e *encoder) endList() {
	e.b[len(e.b)-1] = ']'
	e.b = append(e.b, ',')
}

// path writes the names of states, which need no escaping.
func (e *encoder) path(key string, p *model.Path) {
	if p.IsZero() {
		return
	}
	e.key(key)
	e.b = append(e.b, '[')
	for _, s := range p.States() {
		e.name("", s.String())
	}
	e.endList()
}

func (e *encoder) observations(key string, set *model.Observations) {
	if *set == 0 {
		return
	}
	e.key(key)
	e.b = append(e.b, '[')
	for n := model.Observation(0); int(n) < model.NumObservations; n++ {
		if set.Has(n) {
			e.name("", n.String())
		}
	}
	e.endList()
}

// fingerprint writes 16 hexadecimal digits.
func (e *encoder) fingerprint(key string, f *model.Fingerprint) {
	if *f == 0 {
		return
	}
	e.key(key)
	e.b = append(e.b, '"')
	for shift := 60; shift >= 0; shift -= 4 {
		e.b = append(e.b, hex[*f>>shift&0xf])
	}
	e.b = append(e.b, '"', ',')
}

// addressIf writes an address; only its zone can hold a character that needs
// escaping.
func (e *encoder) addressIf(key string, a netip.Addr) {
	switch {
	case !a.IsValid():
	case a.Zone() != "":
		e.str(key, a.String())
	default:
		e.key(key)
		e.b = append(e.b, '"')
		e.b = a.AppendTo(e.b)
		e.b = append(e.b, '"', ',')
	}
}

func (e *encoder) time(key string, t model.Time) {
	e.key(key)
	e.b = append(e.b, '"')
	e.moment(t)
	e.b = append(e.b, '"', ',')
}

// moment appends t in [model.TimeLayout]. Most times are of the second of the last
// record, whose text is copied.
func (e *encoder) moment(t model.Time) {
	if second := int64(t) / 1e9; second > 0 && second == e.parts.second { // 0 may be of 1969
		e.b = append(e.b, e.parts.date[:len("2006-01-02T15:04:05.")]...)
		e.b = append(digits(e.b, int(int64(t)%1e9)/1000, 6), 'Z')
		return
	}
	e.b = appendTime(e.b, t)
}

func (e *encoder) timeIf(key string, t model.Time) {
	if t != 0 {
		e.time(key, t)
	}
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
	n := len(b)
	b = append(b, "000000"[:width]...)
	for i := n + width - 2; i >= n; i -= 2 {
		pair := v % 100 * 2
		b[i], b[i+1] = pairs[pair], pairs[pair+1]
		v /= 100
	}
	return b
}

// pairs holds the two digits of each number below 100.
const pairs = "" +
	"0001020304050607080910111213141516171819" +
	"2021222324252627282930313233343536373839" +
	"4041424344454647484950515253545556575859" +
	"6061626364656667686970717273747576777879" +
	"8081828384858687888990919293949596979899"
