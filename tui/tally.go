package tui

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// tally counts over all records it was given, whether they are still kept or not.
type tally struct {
	counts      perVerdict
	lost        uint64 // events that the source lost
	lostBytes   uint64
	first, last model.Time
	history     history
	tables      []*table // one for each of groupings
}

// The screen's history is five minutes in spans of a second.
const (
	screenSpans = 300
	screenSpan  = time.Second
)

func newTally(by []dimension) *tally {
	t := &tally{history: newHistory(screenSpans, screenSpan)}
	for _, d := range by {
		t.tables = append(t.tables, newTable(d))
	}
	return t
}

// add counts r.
func (t *tally) add(r *model.Record) {
	if when := r.Time(); when != 0 {
		if t.first == 0 {
			t.first = when
		}
		t.last = max(t.last, when)
	}
	switch r.Kind {
	case model.KindTeardown:
		t.end(&r.Teardown)
	case model.KindOutcome:
		if r.Retracts {
			t.retract(&r.Teardown)
		}
	case model.KindLoss:
		t.lost += r.Loss.Count
	case model.KindUnknown, model.KindStart, model.KindCloseFailed, model.KindCounters, model.KindStop:
	}
}

func (t *tally) end(d *model.Teardown) {
	t.counts.add(d.Verdict, 1)
	bytes := d.TCP.Bytes.Lost()
	t.lostBytes += bytes
	t.history.add(d.Time, d.Verdict, 1)
	for _, table := range t.tables {
		g := table.group(dimensions[table.by].key(d))
		g.counts.add(d.Verdict, 1)
		g.causes[clampCause(d.Cause)]++
		g.lost += bytes
		g.last = max(g.last, d.Time)
		g.history.add(d.Time, d.Verdict, 1)
	}
}

// retract moves one end from linger-timeout, the only verdict that is taken
// back (docs/record.md, outcome), to the verdict that holds.
func (t *tally) retract(d *model.Teardown) {
	move := func(c *perVerdict) {
		if c[model.LingerTimeout] > 0 {
			c[model.LingerTimeout]--
			c.add(d.Verdict, 1)
		}
	}
	move(&t.counts)
	for _, table := range t.tables {
		if g := table.groups[dimensions[table.by].key(d)]; g != nil && table.by != byCause {
			move(&g.counts)
			if expired := &g.causes[model.CauseLingerExpired]; *expired > 0 {
				*expired--
				g.causes[clampCause(d.Cause)]++
			}
		}
	}
	causes := t.tables[causeTable]
	if g := causes.groups[groupKey{cause: model.CauseLingerExpired}]; g != nil && g.counts[model.LingerTimeout] > 0 {
		g.counts[model.LingerTimeout]--
		causes.group(groupKey{cause: d.Cause}).counts.add(d.Verdict, 1)
	}
}

func (t *tally) copy() *tally {
	c := *t
	c.history = t.history.copy()
	c.tables = make([]*table, len(t.tables))
	for i := range t.tables {
		c.tables[i] = t.tables[i].copy()
	}
	return &c
}
