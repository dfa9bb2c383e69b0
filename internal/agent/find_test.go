package agent

import (
	"fmt"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// seen is what a finder says of ends, which are at these times, while it looks again and again.
func seen(ends map[time.Duration][]*model.Record) (counted, told int) {
	f := newFinder()
	f.began = began.Go()
	for at := time.Duration(0); at < 5*time.Minute; at += 10 * time.Second {
		for _, r := range ends[at] {
			r.Teardown.Time = began.Add(at)
			f.engine.Add(r)
		}
		for _, n := range f.look(began.Add(at + 5*time.Second).Go()) {
			if counted += int(n.more); n.tell {
				told++
			}
		}
	}
	return counted, told
}

// TestFindingGrows: a finding that more and more clients meet is one, reported once, and counts
// each of its connections once.
func TestFindingGrows(t *testing.T) {
	ends := map[time.Duration][]*model.Record{}
	const all = 20
	for n := range all {
		ends[time.Duration(n)*10*time.Second] = []*model.Record{end(n)}
	}
	if counted, told := seen(ends); counted != all || told != 1 {
		t.Errorf("%d counted and %d records, want %d and 1", counted, told, all)
	}
}

// TestBurstsCountOnce: two bursts with one network are two findings, and count once each.
func TestBurstsCountOnce(t *testing.T) {
	ends := map[time.Duration][]*model.Record{}
	for burst, size := range []int{12, 15} {
		at := time.Duration(burst) * time.Minute
		for n := range size {
			ends[at] = append(ends[at], end(n, func(t *model.Teardown) {
				t.ID, t.Cause, t.TCP.Role = fmt.Sprint(burst, n), model.CausePeerReset, model.Active
			}))
		}
	}
	if counted, told := seen(ends); counted != 12+15 || told != 2 {
		t.Errorf("%d counted and %d records, want 27 and 2", counted, told)
	}
}
