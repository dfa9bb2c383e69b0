package summary

import (
	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// ordinary counts ends that were only counted: of each the process is known, and neither
// peer nor duration.
func (s *Summary) ordinary(r *model.Record) {
	c := &r.Counted
	s.OnlyCounted += c.Net()
	process := processOf(&r.Teardown.Process)
	why := Why{process, model.CauseFIN}
	bucket := s.Timeline.at(r.Time())
	bucket.Verdicts[model.Graceful] += uint32(c.Ends)
	take(&bucket.Verdicts[model.Graceful], uint32(c.TakenBack))
	for _, t := range []*Tally{&s.Total, &s.Causes[model.CauseFIN], s.processes.change(process, c.Ends, c.TakenBack), s.whys.change(why, c.Ends, c.TakenBack)} {
		t.Verdicts[model.Graceful] += c.Ends
		take(&t.Verdicts[model.Graceful], c.TakenBack)
		t.Moved += c.Sent + c.Received
	}
}

// change counts key more and less often, and returns its tally, valid until the next call.
func (t *topK[K]) change(key K, more, less uint64) *Tally {
	if _, found := t.index[key]; !found {
		t.add(key)
		less++
	}
	i := t.index[key]
	t.heap[i].Count += more
	take(&t.heap[i].Count, less)
	return &t.heap[t.down(t.up(i))].Tally
}

func (s *Summary) onlyCounted() string {
	if s.OnlyCounted <= 0 {
		return ""
	}
	return "; " + human.Count(uint64(s.OnlyCounted)) + " only counted in the kernel"
}
