package tui

import "github.com/closetrace/closetrace/model"

// deck is what a screen shows: the records that are kept, those that the query
// chooses, and the counts over both. One goroutine uses it at a time.
type deck struct {
	journal journal
	hits    numbers // the records that match, of those that are kept
	match   func(*model.Record) bool
	totals
	before  *totals // of a replay: over what is not kept any more
	partial bool    // shown began later than all: when the query was set
	since   uint64  // the number of the record that it began with
}

// totals are the counts of a deck.
type totals struct {
	all   *tally // over everything that came
	shown *tally // over what matches; all if there is no query
}

func newTotals() totals {
	all := newTally()
	return totals{all, all}
}

// choose begins the counts of a query.
func (t *totals) choose(queried bool) {
	t.shown = t.all
	if queried {
		t.shown = newTally()
	}
}

func (t *totals) copy() totals {
	c := totals{all: t.all.copy()}
	c.shown = c.all
	if t.shown != t.all {
		c.shown = t.shown.copy()
	}
	return c
}

func newDeck(keep int) *deck { return &deck{journal: newJournal(keep), totals: newTotals()} }

// countDropped counts what the journal drops by itself too, so that truncate can go back
// to the oldest record that is kept and still have complete counts.
func (d *deck) countDropped() {
	before := newTotals()
	d.before = &before
	d.journal.dropped = func(r *model.Record) { d.tell(&before, r) }
}

// add takes a copy of a record in and returns its number.
func (d *deck) add(r *model.Record) uint64 {
	first := d.journal.first
	seq := d.journal.add(r)
	if d.journal.first != first {
		d.hits.dropBefore(d.journal.first)
	}
	d.count(seq, r)
	return seq
}

// count makes r, the record seq, which is kept already, part of hits and counts.
func (d *deck) count(seq uint64, r *model.Record) {
	if d.tell(&d.totals, r) {
		d.hits.insert(d.rowOf(r), seq)
	}
}

// tell makes r part of t, and reports whether the query chooses it.
func (d *deck) tell(t *totals, r *model.Record) bool {
	t.all.add(r)
	passes := d.passes(r, t.shown)
	if passes && t.shown != t.all {
		t.shown.add(r)
	}
	return passes
}

// rowOf returns the place of a new record among the hits: the last, except for resets
// without a connection, which are gathered for a second before they are reported.
func (d *deck) rowOf(r *model.Record) int {
	i := d.hits.len()
	if r.Kind != model.KindStray {
		return i
	}
	when := r.Time() // r may be what at returned
	for least := max(i-maxLate, 0); i > least && d.journal.peek(d.hits.at(i-1)).Time() > when; {
		i--
	}
	return i
}

// passes reports whether the query chooses r, or the teardown that t counted and r, an
// outcome, belongs to.
func (d *deck) passes(r *model.Record, t *tally) bool {
	return d.match == nil || d.match(r) || t.knows(r)
}

// choose sets the query and counts what is kept again. The counts of a query
// begin with the oldest record that is kept; without one they are complete.
func (d *deck) choose(match func(*model.Record) bool) {
	d.match, d.hits = match, numbers{}
	d.totals.choose(match != nil)
	if d.before != nil {
		d.before.choose(match != nil)
	}
	for seq := d.journal.first; seq < d.journal.next; seq++ {
		r := d.journal.at(seq)
		if !d.passes(r, d.shown) {
			continue
		}
		if match != nil {
			d.shown.add(r)
		}
		d.hits.insert(d.rowOf(r), seq)
	}
	d.partial, d.since = match != nil && d.journal.first > 0, d.journal.first
}

// snapshot returns a copy that does not change when d does. match is the query
// again, compiled for the copy's goroutine.
func (d *deck) snapshot(match func(*model.Record) bool) *deck {
	c := *d
	c.journal, c.hits, c.match = d.journal.snapshot(), d.hits.copy(), match
	c.totals = d.copy()
	if d.before != nil {
		before := d.before.copy()
		c.before = &before
	}
	return &c
}

// truncate makes a snapshot of a replay end before the record limit, as if no later one
// had come yet; it can grow again up to end.
func (d *deck) truncate(limit, end uint64) {
	limit = min(max(limit, d.journal.first), end)
	if limit < d.journal.next {
		d.journal.next, d.hits = d.journal.first, numbers{}
		d.totals = d.before.copy()
	}
	for d.journal.next < limit {
		d.journal.next++
		d.count(d.journal.next-1, d.journal.at(d.journal.next-1))
	}
}

// index returns the place of the record seq among the hits, or of one near it.
func (d *deck) index(seq uint64) int { return d.hits.search(seq) }
