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
	e := encoder{b: b, parts: partsPool.Get().(*parts)}
	defer partsPool.Put(e.parts)
	e.b = append(e.b, `{"kind":"`...)
	e.b = append(e.b, r.Kind.String()...)
	e.b = append(e.b, `","schema":"`+model.Schema+`",`...)
	e.parts.begin(r.Time())
	e.time(`"time":`, r.Time())
	e.key(`"time_unix_nano":`)
	e.b = append(e.b, '"')
	e.b = strconv.AppendInt(e.b, int64(r.Time()), 10)
	e.b = append(e.b, '"', ',')
	e.body(r)
	e.b[len(e.b)-1] = '}'
	return append(e.b, '\n')
}

// body writes the members of r. Lines about a connection end begin with the members of
// their kind; each other kind is one struct of the model.
func (e *encoder) body(r *model.Record) {
	t := &r.Teardown
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		e.empty, e.usual = keepEmpty, allKnown(&t.Facts)
		e.str(`"id":`, t.ID)
		e.judgement(&t.Judgement)
		e.own(r)
		number(e, `"close_blocked_ns":`, t.CloseBlocked)
	default:
		if whole := e.own(r); whole {
			return
		}
		e.str(`"id":`, t.ID)
	}
	e.from(&t.Judgement)
	e.facts(&t.Facts)
}

func (e *encoder) counts(key string, counts map[string]uint64) {
	at := e.open(key)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		e.b = append(quote(e.b, name), ':')
		e.b = strconv.AppendUint(e.b, counts[name], 10)
		e.b = append(e.b, ',')
	}
	e.close(at, keepEmpty)
}
