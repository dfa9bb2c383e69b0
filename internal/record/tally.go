package record

import (
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// line is what must be known of a pending line to take it back.
type line struct {
	end      int // of the line, in the batch
	counts   bool
	amends   bool // an end that was counted as was before
	was, now model.Verdict
	lost     model.Losses
	ordinary int64 // ends that were only counted
}

// tally counts what a stop line says of its file: each end that has a line in the file
// once, with the verdict of its last line.
type tally struct {
	teardowns [model.NumVerdicts]uint64
	known     ledger.Ledger[model.Verdict] // ends of this file
	lost      model.Losses                 // by the loss lines of this file
	before    model.Losses                 // by those of the files before it
}

// add counts r and returns how; end is where its line ends.
func (t *tally) add(r *model.Record, end int) line {
	l := line{end: end}
	switch r.Kind {
	case model.KindTeardown:
		l.counts, l.now = true, r.Teardown.Verdict
		t.known.Add(r, l.now)
	case model.KindOutcome:
		l = t.outcome(r, l)
	case model.KindLoss:
		l.lost.Add(&r.Loss)
		t.lost.Add(&r.Loss)
	case model.KindCounts:
		l.ordinary = r.Counted.Net()
	case model.KindUnknown, model.KindStart, model.KindCloseFailed, model.KindCounters, model.KindClock, model.KindTable, model.KindStray, model.KindStop:
	}
	t.teardowns[model.Graceful] += uint64(l.ordinary)
	if l.counts {
		t.teardowns[l.now]++
	}
	if l.amends {
		t.teardowns[l.was]--
	}
	return l
}

func (t *tally) outcome(r *model.Record, l line) line {
	was := t.known.Of(r.Teardown.ID)
	switch {
	case was == nil:
		l.counts, l.now = true, r.Teardown.Verdict
		t.known.Add(r, l.now)
	case r.Overrules():
		l.counts, l.amends, l.was, l.now = true, true, *was, r.Teardown.Verdict
		*was = l.now
	}
	return l
}

// remove undoes what add did for a line.
func (t *tally) remove(l line) {
	t.lost = t.lost.Beyond(l.lost)
	t.teardowns[model.Graceful] -= uint64(l.ordinary)
	if l.counts {
		t.teardowns[l.now]--
	}
	if l.amends {
		t.teardowns[l.was]++
	}
}

// stop returns r with the counts of the current file. Lost events that r counts but no
// line reported are added to its total.
func (t *tally) stop(r *model.Record) *model.Record {
	s := *r
	s.Stop.Teardowns = map[string]uint64{}
	for v, n := range t.teardowns {
		if int64(n) > 0 { // an end that an earlier file has counted may be taken back in this one
			s.Stop.Teardowns[model.Verdict(v).String()] = n
		}
	}
	told := t.before.Plus(t.lost)
	s.Stop.Losses = t.lost.Plus(r.Stop.Losses.Beyond(told))
	s.Stop.Lost = t.lost.Total() + r.Stop.Lost - min(r.Stop.Lost, told.Total())
	return &s
}

// next begins a new file.
func (t *tally) next() { *t = tally{before: t.before.Plus(t.lost)} }
