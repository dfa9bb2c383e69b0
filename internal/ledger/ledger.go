package ledger

import (
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/closetrace/closetrace/model"
)

// Remembered is how many ends of each verdict are known: as many as a tracer remembers of
// all, so that it reports no outcome of an end that is forgotten here.
const Remembered = 1 << 15

// Ledger maps the IDs of recent ends to what was counted for them. The zero value
// is ready. It is for one goroutine.
type Ledger[T any] struct {
	seed  maphash.Seed
	added uint64
	rings [model.NumVerdicts]ring[T] // by the verdict of the teardown: a common one pushes no other out
}

// Add remembers v for the end that r is about. An end without an ID is forgotten.
func (l *Ledger[T]) Add(r *model.Record, v T) {
	t := &r.Teardown
	if t.ID == "" || int(t.Verdict) >= model.NumVerdicts {
		return
	}
	if l.seed == (maphash.Seed{}) {
		l.seed = maphash.MakeSeed() // hostile IDs must not collide
	}
	l.added++
	l.rings[t.Verdict].add(entry[T]{hash: maphash.String(l.seed, t.ID), number: l.added, value: v})
}

// Of returns what is remembered of the latest end with that ID, or nil. It may be
// changed until the next call of Add.
func (l *Ledger[T]) Of(id string) *T {
	if id == "" || l.seed == (maphash.Seed{}) {
		return nil
	}
	hash := maphash.String(l.seed, id)
	var latest *entry[T]
	for i := range l.rings {
		if e := l.rings[i].of(hash); e != nil && (latest == nil || e.number > latest.number) {
			latest = e // recordings of two hosts may have the same IDs
		}
	}
	if latest == nil {
		return nil
	}
	return &latest.value
}

// Clone returns a copy that does not change when l does.
func (l *Ledger[T]) Clone() Ledger[T] {
	c := *l
	for i := range c.rings {
		c.rings[i].heads = append([]uint32(nil), c.rings[i].heads...)
		c.rings[i].entries = append([]entry[T](nil), c.rings[i].entries...)
	}
	return c
}

// ring keeps the last Remembered entries, chained by hash once one of them is asked
// for: most are added and never asked for.
type ring[T any] struct {
	entries []entry[T]
	next    int      // place of the next entry, once there are as many as there may be
	heads   []uint32 // by hash: the place of the newest entry, counted from 1
	loose   int      // how many of the newest entries are in no chain yet
}

type entry[T any] struct {
	hash   uint64
	number uint64 // how many had been added
	older  uint32 // place of the next older one of the chain, from 1; 0 is none
	value  T
}

func (r *ring[T]) add(e entry[T]) {
	if n := len(r.entries); n < Remembered {
		if n == cap(r.entries) && n >= 4096 { // pages that are not used yet take no memory
			r.entries = append(make([]entry[T], 0, Remembered), r.entries...)
		}
		r.entries = append(r.entries, e)
	} else {
		r.entries[r.next] = e
		r.next = (r.next + 1) % Remembered
	}
	r.loose = min(r.loose+1, len(r.entries))
}

// chain puts the entries that are in no chain into theirs. There are always as many
// chains as entries or more.
func (r *ring[T]) chain() {
	if len(r.heads) < len(r.entries) {
		r.heads = make([]uint32, max(1<<bits.Len(uint(len(r.entries)-1)), 64))
		r.loose = len(r.entries)
	}
	for ; r.loose > 0; r.loose-- {
		place := (r.next + len(r.entries) - r.loose) % len(r.entries)
		e := &r.entries[place]
		head := &r.heads[e.hash%uint64(len(r.heads))]
		e.older, *head = *head, uint32(place)+1
	}
}

// of follows a chain. Its numbers fall: where they do not, the ring has been
// written over, and what was older is gone too.
func (r *ring[T]) of(hash uint64) *entry[T] {
	r.chain()
	if len(r.heads) == 0 {
		return nil
	}
	for place, before := r.heads[hash%uint64(len(r.heads))], uint64(math.MaxUint64); place != 0; {
		e := &r.entries[place-1]
		if e.number >= before {
			return nil
		}
		if e.hash == hash {
			return e
		}
		place, before = e.older, e.number
	}
	return nil
}
