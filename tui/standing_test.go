package tui

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestRowsOfAStandingScreen: at each step of a replay, and from the moment of a pause on,
// rows and order are those of the records that have come until then.
func TestRowsOfAStandingScreen(t *testing.T) {
	records := feed(300, at, 10*time.Millisecond)
	for _, keys := range [][]string{{"3"}, {"4"}, {"4", "t"}, {"2", "s"}, {"2", "s", "s", "S"}} {
		check := func(what string, r *rig) {
			t.Helper()
			fresh := newRig(t, 100, 24, records[:r.s.frozen.journal.next], nil)
			fresh.s.now, fresh.s.wall = r.s.now, r.s.wall
			fresh.press(keys...)
			if got, ok := r.s.view.(*groupList); ok {
				if want := fresh.s.view.(*groupList); !reflect.DeepEqual(got.all, want.all) {
					t.Fatalf("%v, %s: %v, want %v", keys, what, got.all, want.all)
				}
				return
			}
			if got, want := r.s.stream.order, fresh.s.stream.order; !slices.Equal(got, want) {
				t.Fatalf("%v, %s: order %v, want %v", keys, what, got, want)
			}
		}
		r := newReplay(t, records, nil)
		r.press(keys...)
		for _, step := range []string{"[", "]"} {
			for range 20 {
				r.press(step)
				check(step, r)
			}
		}
		r.press("P")
		for r.s.replay.playing {
			r.tick(frame)
		}
		check("played to the end", r)
		r = newRig(t, 100, 24, records[:200], nil)
		r.press(keys...)
		r.tick(frame)
		r.add(records[200:]...)
		r.press("space")
		check("paused", r)
		r.tick(time.Hour)
		check("an hour later", r)
	}
}
