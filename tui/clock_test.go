package tui

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestClockSetBack: the curves of the last minutes go on though the clock was set back.
func TestClockSetBack(t *testing.T) {
	for _, back := range []time.Duration{30 * time.Second, time.Hour} {
		d := newDeck(1000)
		now := at
		play := func() {
			for _, r := range feed(40, now, 100*time.Millisecond) {
				d.add(&r)
			}
		}
		play()
		now = now.Add(time.Second - back)
		d.add(&model.Record{Kind: model.KindClock, Clock: model.Clock{Time: now, Step: -back}})
		now = now.Add(10 * time.Second)
		play()
		last := d.all.history.last(now, 10*time.Second)
		if got, want := last.total(), uint64(40); got != want {
			t.Errorf("%v back: the last seconds have %d ends, want %d", back, got, want)
		}
		for _, g := range d.all.tables[0].groups {
			if g.history.newest > g.history.number(now) {
				t.Errorf("%v back: a group's curve is ahead of now", back)
			}
		}
		if d.all.last > now {
			t.Errorf("%v back: the last end is %v ahead", back, d.all.last.Sub(now))
		}
	}
}
