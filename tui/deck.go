package tui

import "github.com/closetrace/closetrace/model"

// deck is what a screen shows: the records that are kept, those that the query
// chooses, and the counts over both. One goroutine uses it at a time.
type deck struct {
	journal journal
	hits    numbers // the records that match, of those that are kept
	match   func(*model.Record) bool
	all     *tally // over everything that came
	shown   *tally // over what matches; all if there is no query
	partial bool   // shown began later than all: when the query was set
	since   uint64 // the number of the record that it began with
}

func newDeck(keep int) *deck {
	d := &deck{journal: newJournal(keep), all: newTally()}
	d.shown = d.all
	return d
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
	d.all.add(r)
	if !d.passes(r, d.shown) {
		return
	}
	if d.shown != d.all {
		d.shown.add(r)
	}
	d.hits.insert(d.rowOf(r), seq)
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
	d.shown = d.all
	if match != nil {
		d.shown = newTally()
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
	c.all = d.all.copy()
	c.shown = c.all
	if d.shown != d.all {
		c.shown = d.shown.copy()
	}
	return &c
}

// truncate makes a snapshot end before the record limit, as if no later one
// had come yet; it can grow again up to end.
func (d *deck) truncate(limit, end uint64) {
	limit = min(max(limit, d.journal.first), end)
	if limit < d.journal.next {
		d.journal.next = d.journal.first
		d.all = newTally()
		d.shown = d.all
		if d.match != nil {
			d.shown = newTally()
		}
		d.hits = numbers{}
	}
	for d.journal.next < limit {
		d.journal.next++
		d.count(d.journal.next-1, d.journal.at(d.journal.next-1))
	}
}

// index returns the place of the record seq among the hits, or of one near it.
func (d *deck) index(seq uint64) int { return d.hits.search(seq) }
