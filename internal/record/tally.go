package record

import "github.com/closetrace/closetrace/model"

// line is what must be known of a pending line to take it back.
type line struct {
	end     int // of the line, in the batch
	kind    model.Kind
	verdict model.Verdict
	lost    uint64
}

func lineOf(r *model.Record, end int) line {
	l := line{end: end, kind: r.Kind}
	switch r.Kind {
	case model.KindTeardown:
		l.verdict = r.Teardown.Verdict
	case model.KindLoss:
		l.lost = r.Loss.Count
	case model.KindUnknown, model.KindStart, model.KindOutcome, model.KindCloseFailed, model.KindCounters, model.KindStop:
	}
	return l
}

// tally counts what a stop line says of its file.
type tally struct {
	teardowns [model.Silent + 1]uint64
	lost      uint64 // by the loss lines of this file
	before    uint64 // by those of the files before it
}

func (t *tally) add(l line) {
	if l.kind == model.KindTeardown && int(l.verdict) < len(t.teardowns) {
		t.teardowns[l.verdict]++
	}
	t.lost += l.lost
}

func (t *tally) remove(l line) {
	if l.kind == model.KindTeardown && int(l.verdict) < len(t.teardowns) {
		t.teardowns[l.verdict]--
	}
	t.lost -= l.lost
}

// stop returns r with the counts of the current file. Events that r knows to
// be lost and no line told of are added to its total.
func (t *tally) stop(r *model.Record) *model.Record {
	s := *r
	s.Stop.Teardowns = map[string]uint64{}
	for v, n := range t.teardowns {
		if n > 0 {
			s.Stop.Teardowns[model.Verdict(v).String()] = n
		}
	}
	s.Stop.Lost = t.lost
	if told := t.before + t.lost; r.Stop.Lost > told {
		s.Stop.Lost += r.Stop.Lost - told
	}
	return &s
}

// next begins a new file.
func (t *tally) next() { *t = tally{before: t.before + t.lost} }
