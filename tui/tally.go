package tui

import (
	"math"
	"time"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// tally counts over all records it was given, whether they are still kept or not.
type tally struct {
	counts      perVerdict
	lost        model.Losses // of the source
	lostBytes   uint64
	table       model.Table // of connections, as last reported
	first, last model.Time
	history     history
	tables      [numDimensions]*table
	known       ledger.Ledger[tallied]
}

// tallied is what was counted for one end, so that an outcome can amend it.
type tallied struct {
	time    model.Time
	unacked uint32 // bytes; a window has less than 2^30
	unread  uint32
	verdict model.Verdict
	cause   model.Cause
	by      model.Doer
}

func (c *tallied) lost() uint64 { return uint64(c.unacked) + uint64(c.unread) }

// bytes takes over the losses that are known.
func (c *tallied) bytes(b *model.Bytes) {
	c.unacked, c.unread = fitting(b.Unacked, c.unacked), fitting(b.Unread, c.unread)
}

// fitting is n as far as it fits, or what it was if it is not known.
func fitting(n model.Opt[uint64], was uint32) uint32 {
	return uint32(min(n.Or(uint64(was)), math.MaxUint32)) // #nosec G115 -- bounded
}

// The screen's history is five minutes in spans of a second.
const (
	screenSpans = 300
	screenSpan  = time.Second
)

func newTally() *tally {
	t := &tally{history: newHistory(screenSpans, screenSpan)}
	for by := range t.tables {
		t.tables[by] = newTable(dimension(by))
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
		t.end(r)
	case model.KindOutcome:
		t.outcome(r)
	case model.KindLoss:
		t.lost.Add(&r.Loss)
	case model.KindTable:
		t.table = r.Table
	case model.KindClock:
		t.rewind(r.Clock.Time)
	case model.KindCounts:
		t.ordinary(r)
	case model.KindUnknown, model.KindStart, model.KindCloseFailed, model.KindCounters, model.KindStray, model.KindStop:
	}
}

func (t *tally) end(r *model.Record) {
	d := &r.Teardown
	c := tallied{time: d.Time, verdict: clampVerdict(d.Verdict), cause: clampCause(d.Cause), by: d.Terminator.Doer()}
	c.bytes(&d.TCP.Bytes)
	t.known.Add(r, c)
	t.count(&c)
	for _, table := range t.tables {
		table.group(dimensions[table.by].key(d)).count(&c)
	}
}

// rewind removes from the histories what would be later than now, after the clock was set
// back.
func (t *tally) rewind(now model.Time) {
	t.last = min(t.last, now)
	t.history.rewind(now)
	for _, table := range t.tables {
		for _, g := range table.groups {
			g.rewind(now)
		}
		if table.others != nil {
			table.others.rewind(now)
		}
	}
}

// knows reports whether the teardown of an outcome was counted.
func (t *tally) knows(r *model.Record) bool {
	return r.Kind == model.KindOutcome && t.known.Of(r.Teardown.ID) != nil
}

// outcome makes the end what its outcome says. An outcome whose teardown was not counted
// is an end of its own.
func (t *tally) outcome(r *model.Record) {
	d := &r.Teardown
	c := t.known.Of(d.ID)
	if c == nil {
		t.end(r)
		return
	}
	was := *c
	if r.Overrules() {
		c.verdict, c.cause, c.by = clampVerdict(d.Verdict), clampCause(d.Cause), d.Terminator.Doer()
	}
	c.bytes(&d.TCP.Bytes)
	t.take(&was)
	t.count(c)
	for _, table := range t.tables {
		table.amend(d, &was, c)
	}
}

// amend moves an end of d's group. An end whose group was folded is among the others.
func (t *table) amend(d *model.Teardown, was, now *tallied) {
	from := dimensions[t.by].key(d)
	if t.by == byCause {
		from = groupKey{cause: was.cause}
	}
	g := t.groups[from]
	if g == nil {
		g = t.others
	}
	if g == nil {
		return
	}
	g.take(was)
	if t.by == byCause {
		g = t.group(groupKey{cause: now.cause})
	}
	g.count(now)
}

func (t *tally) count(c *tallied) {
	t.counts.add(c.verdict, 1)
	t.lostBytes += c.lost()
	t.history.add(c.time, c.verdict, 1)
}

func (t *tally) take(c *tallied) {
	t.counts.take(c.verdict)
	t.lostBytes -= min(c.lost(), t.lostBytes)
	t.history.take(c.time, c.verdict)
}

func (g *group) count(c *tallied) {
	g.counts.add(c.verdict, 1)
	g.causes[c.cause]++
	g.lost += c.lost()
	g.seen(c.time, c.time)
	if c.verdict == model.Abortive {
		g.aborts[c.by]++
	}
	g.history.add(c.time, c.verdict, 1)
	g.recent.add(g.cell(c), g.history.oldest())
}

func (g *group) take(c *tallied) {
	g.counts.take(c.verdict)
	if n := &g.causes[c.cause]; *n > 0 {
		*n--
	}
	g.lost -= min(c.lost(), g.lost)
	if n := &g.aborts[c.by]; c.verdict == model.Abortive && *n > 0 {
		*n--
	}
	g.history.take(c.time, c.verdict)
	g.recent.take(g.cell(c))
}

func (t *tally) copy() *tally {
	c := *t
	c.history, c.known = t.history.copy(), t.known.Clone()
	for i := range t.tables {
		c.tables[i] = t.tables[i].copy()
	}
	return &c
}
