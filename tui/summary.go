package tui

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// summary is what the head of the screen shows, copied once per frame.
type summary struct {
	counts   perVerdict // over what matches
	all      uint64     // ends, over everything
	asked    uint64     // records that the query was asked about
	lost     model.Losses
	table    model.Table
	rate     float64 // ends per second, over everything
	first    model.Time
	curves   [model.NumVerdicts][]uint64
	per      int // seconds in one column of the curves
	partial  bool
	matching bool
	end      uint64 // the number of the next record

	ended     bool
	err       error
	stop      model.Stop
	recording recordingState
}

// rateSpan is how long the rate of ends is averaged over.
const rateSpan = 5 * time.Second

// maxCurve is the greatest number of columns of a curve: two seconds each, so
// that the history of five minutes is enough.
const maxCurve = 120

func (s *summary) take(d *deck, now model.Time, cells int) {
	s.counts, s.all = d.shown.counts, d.all.counts.total()
	s.lost, s.first, s.table = d.all.lost, d.all.first, d.all.table
	s.asked, s.end = d.journal.next-d.since, d.journal.next
	s.matching, s.partial = d.match != nil, d.partial
	s.rate = rate(d.all, now)
	s.per = 2
	cells = min(cells, maxCurve)
	for v := range s.curves {
		s.curves[v] = d.shown.history.curve(now, cells, s.per, func(w model.Verdict) bool { return int(w) == v })
	}
}

// rate leaves the second that has just begun out.
func rate(t *tally, now model.Time) float64 {
	span := rateSpan
	if age := now.Sub(t.first); t.first != 0 && age < span {
		span = max(age.Truncate(time.Second), time.Second)
	}
	whole := now.Add(-screenSpan)
	sum := t.history.last(whole, span)
	return float64(sum.total()) / span.Seconds()
}
