package record

import (
	"maps"
	"slices"
	"strconv"

	"github.com/closetrace/closetrace/model"
)

// Append appends r as one line, with its line feed, to b. It does not
// allocate beyond the growth of b. A record of [model.KindUnknown] has no
// line; b is returned as it was.
func Append(b []byte, r *model.Record) []byte {
	if r.Kind == model.KindUnknown {
		return b
	}
	e := encoder{parts: partsPool.Get().(*parts)}
	defer partsPool.Put(e.parts)
	b = append(b, `{"kind":"`...)
	b = append(b, r.Kind.String()...)
	b = append(b, `","schema":"`+model.Schema+`",`...)
	b = e.time(b, `"time":`, r.Time())
	b = append(b, `"time_unix_nano":"`...)
	b = strconv.AppendInt(b, int64(r.Time()), 10)
	b = append(b, '"', ',')
	b = e.body(b, r)
	b[len(b)-1] = '}'
	return append(b, '\n')
}

// body writes the members of r. Lines about a connection end begin with the members of
// their kind; each other kind is one struct of the model.
func (e *encoder) body(b []byte, r *model.Record) []byte {
	t := &r.Teardown
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		e.empty, e.usual = keepEmpty, allKnown(&t.Facts)
		b = str(b, `"id":`, t.ID)
		b = e.judgement(b, &t.Judgement)
		b, _ = e.own(b, r)
		b = number(b, `"close_blocked_ns":`, t.CloseBlocked)
	default:
		var whole bool
		if b, whole = e.own(b, r); whole {
			return b
		}
		b = str(b, `"id":`, t.ID)
	}
	e.from(&t.Judgement)
	return e.facts(b, &t.Facts)
}

func counts(b []byte, key string, counts map[string]uint64) []byte {
	at := len(b)
	b = open(b, key)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		b = append(quote(b, name), ':')
		b = strconv.AppendUint(b, counts[name], 10)
		b = append(b, ',')
	}
	return end(b, at, keepEmpty)
}
