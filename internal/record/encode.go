package record

import (
	"slices"
	"strconv"
	"time"

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

func (e *encoder) body(r *model.Record) {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		e.teardown(r)
	case model.KindCloseFailed:
		e.str(`"error":`, r.Error)
		e.facts(&r.Teardown.Facts, omitEmpty)
	case model.KindLoss:
		e.uint(`"count":`, r.Loss.Count)
		e.str(`"where":`, r.Loss.Where)
	case model.KindStart:
		e.start(&r.Start)
	case model.KindStop:
		e.stop(&r.Stop)
	case model.KindCounters:
		e.counters(&r.Counters)
	case model.KindUnknown:
	}
}

func (e *encoder) counters(c *model.Counters) {
	e.network(&c.Network, omitEmpty)
	e.intIf(`"interval_ns":`, int64(c.Interval))
	e.counts(`"counts":`, c.Counts)
}

func (e *encoder) counts(key string, counts map[string]uint64) {
	at := e.open(key)
	for _, name := range sortedKeys(counts) {
		e.b = append(quote(e.b, name), ':')
		e.b = strconv.AppendUint(e.b, counts[name], 10)
		e.b = append(e.b, ',')
	}
	e.close(at, keepEmpty)
}

func (e *encoder) start(s *model.Start) {
	at := e.open(`"tool":`)
	e.str(`"version":`, s.Tool.Version)
	e.close(at, omitEmpty)
	at = e.open(`"host":`)
	e.str(`"name":`, s.Host.Name)
	e.close(at, omitEmpty)
	at = e.open(`"os":`)
	e.str(`"type":`, s.OS.Type)
	e.str(`"version":`, s.OS.Version)
	e.close(at, omitEmpty)
	e.str(`"backend":`, s.Backend)
	e.str(`"filter":`, s.Filter)
	e.str(`"boot_id":`, s.BootID)
}

func (e *encoder) stop(s *model.Stop) {
	e.counts(`"teardowns":`, s.Teardowns)
	e.uint(`"lost":`, s.Lost)
	e.str(`"reason":`, s.Reason)
}

func sortedKeys(m map[string]uint64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (e *encoder) teardown(r *model.Record) {
	t := &r.Teardown
	e.str(`"id":`, t.ID)
	judgement := t.Judgement
	judgement.CloseBlocked = model.Opt[time.Duration]{}
	part(e, &e.parts.judgement, int(t.Cause)+int(t.Initiator), &judgement, (*encoder).judgement)
	if r.Retracts {
		e.flag(`"retracts":`, true)
	}
	number(e, `"close_blocked_ns":`, t.CloseBlocked)
	e.factsBody(&t.Facts, keepEmpty)
}

// judgement writes all of j but how long close() waited.
func (e *encoder) judgement(j *model.Judgement) {
	e.name(`"verdict":`, j.Verdict.String())
	e.name(`"cause":`, j.Cause.String())
	e.name(`"initiator":`, j.Initiator.String())
	e.name(`"terminator":`, j.Terminator.String())
	e.name(`"confidence":`, j.Confidence.String())
	e.str(`"confidence_reason":`, j.ConfidenceReason)
	e.str(`"rule":`, j.Rule)
}
