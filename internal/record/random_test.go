package record

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/google/go-cmp/cmp"
)

// hostile are strings that a process name or a path may hold.
var hostile = []string{
	"nginx", "\x1b]0;owned\a", "</script><script>alert(1)</script>", "a\"b\\c/d", "\x00\x01\x7f",
	"\xff\xfe bad", "half \xe2\x82", "\u202eexe.txt", "line\nfeed\r\t", "\u2028\u2029", "日本語", "\U0001f4a9",
	"{\"kind\":\"stop\"}", "'; DROP TABLE x", "=cmd|' /C calc'!A0", "\ufffd", "\u009b31m", strings.Repeat("é", 500),
}

// random fills values of the model. It knows the few types that reflection
// can't fill; a field added to the model is covered without a change here.
type random struct{ *rand.Rand }

func (r random) text() string {
	if r.IntN(3) > 0 {
		return hostile[r.IntN(len(hostile))]
	}
	b := make([]byte, r.IntN(40))
	for i := range b {
		b[i] = byte(r.UintN(256))
	}
	return string(b)
}

func (r random) fill(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *netip.Addr:
		*p = r.address()
		return
	case *model.Path:
		for range r.IntN(9) {
			p.Append(model.State(r.IntN(len(names[model.State]()))))
		}
		return
	case *model.Observations:
		for n := range names[model.Observation]() {
			if r.IntN(2) == 0 {
				p.Add(model.Observation(n))
			}
		}
		return
	case *model.Time:
		if r.IntN(3) > 0 {
			*p = model.Time(r.Int64N(math.MaxInt64/2000) * 1000)
		}
		return
	case json.Unmarshaler:
		if strings.HasPrefix(v.Type().Name(), "Opt[") {
			r.optional(p, v.Type())
			return
		}
	}
	if size, isEnum := enumSize[v.Type()]; isEnum {
		v.SetUint(uint64(r.IntN(size)))
		return
	}
	r.fillPlain(v)
}

func (r random) fillPlain(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			r.fill(v.Field(i))
		}
	case reflect.Slice:
		for range r.IntN(3) {
			v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
			r.fill(v.Index(v.Len() - 1))
		}
	case reflect.String:
		if r.IntN(3) > 0 {
			v.SetString(r.text())
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int:
		v.SetInt(int64(r.IntN(1 << 22)))
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> (64 - v.Type().Bits()))
	default:
		panic("random: teach me " + v.Type().String())
	}
}

// optional sets an Opt through its JSON, because reflection can't.
func (r random) optional(o json.Unmarshaler, t reflect.Type) {
	if r.IntN(3) == 0 {
		return
	}
	elem := t.Field(0).Type
	literal := fmt.Sprint(r.IntN(2) == 0)
	switch elem.Kind() {
	case reflect.Bool:
	case reflect.Int, reflect.Int32, reflect.Int64:
		literal = fmt.Sprint(int64(r.Uint64()) >> (64 - elem.Bits()) >> r.IntN(elem.Bits()))
	default:
		literal = fmt.Sprint(r.Uint64() >> (64 - elem.Bits()) >> r.IntN(elem.Bits()))
	}
	if err := o.UnmarshalJSON([]byte(literal)); err != nil {
		panic(err)
	}
}

func (r random) address() netip.Addr {
	switch r.IntN(5) {
	case 0:
		return netip.Addr{}
	case 1:
		var b [16]byte
		for i := range b {
			b[i] = byte(r.UintN(256))
		}
		return netip.AddrFrom16(b).Unmap()
	case 2:
		return netip.MustParseAddr("fe80::1").WithZone("eth\"0")
	default:
		return netip.AddrFrom4([4]byte{byte(r.UintN(256)), byte(r.UintN(256)), 0, byte(r.UintN(256))})
	}
}

// enumSize is the number of names of each vocabulary.
var enumSize = map[reflect.Type]int{
	reflect.TypeFor[model.Verdict]():       len(names[model.Verdict]()),
	reflect.TypeFor[model.Cause]():         len(names[model.Cause]()),
	reflect.TypeFor[model.Initiator]():     len(names[model.Initiator]()),
	reflect.TypeFor[model.Terminator]():    len(names[model.Terminator]()),
	reflect.TypeFor[model.Confidence]():    len(names[model.Confidence]()),
	reflect.TypeFor[model.Role]():          len(names[model.Role]()),
	reflect.TypeFor[model.OwnerSource]():   len(names[model.OwnerSource]()),
	reflect.TypeFor[model.Call]():          len(names[model.Call]()),
	reflect.TypeFor[model.LingerOutcome](): len(names[model.LingerOutcome]()),
	reflect.TypeFor[model.Holder]():        len(names[model.Holder]()),
	reflect.TypeFor[model.AbortReason]():   len(names[model.AbortReason]()),
	reflect.TypeFor[model.Side]():          len(names[model.Side]()),
	reflect.TypeFor[model.StrayReason]():   len(names[model.StrayReason]()),
	reflect.TypeFor[model.State]():         len(names[model.State]()),
}

// record returns a random record of a random kind, with only those fields set
// that its kind has.
func (r random) record() model.Record {
	rec := model.Record{Kind: model.KindStart + model.Kind(r.IntN(int(model.KindStop)))}
	switch rec.Kind {
	case model.KindTeardown, model.KindOutcome:
		r.fill(reflect.ValueOf(&rec.Teardown).Elem())
		if r.IntN(2) == 0 {
			r.makeUsual(&rec.Teardown.Facts)
		}
		rec.Retracts = rec.Kind == model.KindOutcome && r.IntN(2) == 0
	case model.KindCloseFailed:
		r.fill(reflect.ValueOf(&rec.Teardown.Facts).Elem())
		rec.Error = r.text()
	case model.KindLoss:
		r.fill(reflect.ValueOf(&rec.Loss).Elem())
	case model.KindCounters:
		rec.Counters = model.Counters{
			Network: model.Network{NetNS: r.Uint32()}, Interval: time.Duration(r.Int64N(1e10)),
			Counts: map[string]uint64{"TcpExtListenDrops": r.Uint64(), clean(r.text()): r.Uint64()},
		}
	case model.KindClock:
		rec.Clock = model.Clock{Step: time.Duration(r.Uint64()), Suspended: time.Duration(r.Int64N(1e18))}
	case model.KindTable:
		r.fill(reflect.ValueOf(&rec.Table).Elem())
	case model.KindStray:
		r.fill(reflect.ValueOf(&rec.Teardown.Facts).Elem())
		r.fill(reflect.ValueOf(&rec.Stray).Elem())
	case model.KindCounts:
		r.fill(reflect.ValueOf(&rec.Teardown.Facts).Elem())
		r.fill(reflect.ValueOf(&rec.Counted).Elem())
		rec.Counted.TakenBack = uint64(r.IntN(100)) // no more than were counted: other sums are not read
		rec.Counted.Ends = rec.Counted.TakenBack + uint64(r.IntN(1000))
	case model.KindStart:
		r.fill(reflect.ValueOf(&rec.Start).Elem())
	case model.KindStop:
		// A year that does not wholly fit nanoseconds is not read, see inRange.
		rec.Stop = model.Stop{Time: model.Time(r.Int64N(9e18)), Teardowns: map[string]uint64{}, Lost: r.Uint64(), Reason: r.text()}
		if r.IntN(2) == 0 {
			r.fill(reflect.ValueOf(&rec.Stop.Table).Elem())
			rec.Stop.Table.Time = 0 // it has none of its own
		}
		r.fill(reflect.ValueOf(&rec.Stop.Losses).Elem())
		for range r.IntN(5) {
			rec.Stop.Teardowns[clean(r.text())] = r.Uint64()
		}
		r.fill(reflect.ValueOf(&rec.Stop.Cost).Elem())
	}
	if rec.Time() == 0 && rec.Kind != model.KindStop {
		giveTime(&rec, 1795195380123456789)
	}
	return rec
}

func giveTime(r *model.Record, t model.Time) {
	r.Teardown.Time, r.Loss.Time, r.Start.Time, r.Counters.Time, r.Clock.Time, r.Table.Time = 0, 0, 0, 0, 0, 0
	switch r.Kind {
	case model.KindStart:
		r.Start.Time = t
	case model.KindLoss:
		r.Loss.Time = t
	case model.KindCounters:
		r.Counters.Time = t
	case model.KindClock:
		r.Clock.Time = t
	case model.KindTable:
		r.Table.Time = t
	default:
		r.Teardown.Time = t
	}
}

// clean is what a line can hold of s: valid UTF-8.
func clean(s string) string { return strings.ToValidUTF8(string([]rune(s)), "\ufffd") }

// cleaned returns r with all its strings clean, as a line gives it back.
func cleaned(r model.Record) model.Record {
	cleanValue(reflect.ValueOf(&r).Elem())
	return r
}

func cleanValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				cleanValue(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			cleanValue(v.Index(i))
		}
	case reflect.String:
		v.SetString(clean(v.String()))
	}
}

// difference lists what got and want differ in (-, +).
func difference(got, want any) string {
	return cmp.Diff(got, want, cmp.Exporter(func(reflect.Type) bool { return true }))
}
