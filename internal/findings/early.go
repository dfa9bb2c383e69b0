package findings

import "github.com/closetrace/closetrace/model"

// Outcomes that come a moment before their ends: records are not in strict order.

// orphan keeps x, an outcome, until its end comes.
func (e *Engine) orphan(x *end) {
	x.orphan = true
	e.orphans++
	e.indexes[byID].add(x, idHash(e.seed, x.id))
}

// early returns the outcome of a teardown if that came first and is not judged yet.
func (e *Engine) early(r *model.Record) *end {
	if e.orphans == 0 || r.Kind != model.KindTeardown {
		return nil
	}
	if o := e.byID(short(r.Teardown.ID)); o != nil && o.orphan && !o.judged {
		return o
	}
	return nil
}

// adopt makes o, an early outcome, that of the end x.
func (e *Engine) adopt(o, x *end) {
	e.forget(o)
	e.scratch = *o
	e.inherit(o, x)
	o.later = true
	e.join(o)
}

// forget takes x out of the indexes, and from its other end.
func (e *Engine) forget(x *end) {
	for i := range e.indexes {
		e.indexes[i].remove(x)
	}
	if x.other != nil {
		x.other.other = nil
	}
	if x.orphan {
		x.orphan = false
		e.orphans--
	}
}
