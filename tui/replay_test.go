package tui

import (
	"fmt"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

func newReplay(t *testing.T, records []model.Record, change func(*Config)) *rig {
	t.Helper()
	r := newRig(t, 100, 24, records, func(c *Config) {
		c.Replay = &Replay{Name: "night.jsonl.zst"}
		if change != nil {
			change(c)
		}
	})
	r.in.end(nil)
	r.tick(frame)
	return r
}

// at reports whether the screen shows the first n records and nothing later.
func (r *rig) at(n uint64, records []model.Record) {
	r.t.Helper()
	r.shows(fmt.Sprintf("%d/%d", n, len(records)), fmt.Sprintf("%d ends", count(records[:n], func(*model.Teardown) bool { return true })))
	if n > 0 {
		r.selected(r.t, n-1)
	}
}

func TestReplayOpensAtItsEnd(t *testing.T) {
	records := demoFeed()
	r := newReplay(t, records, nil)
	r.shows("replay night.jsonl.zst")
	r.at(400, records)
	r.tick(time.Hour)
	r.at(400, records)
}

func TestReplaySteps(t *testing.T) {
	records := demoFeed()
	r := newReplay(t, records, nil)
	r.press("[", "[", "[")
	r.at(397, records)
	r.press("]")
	r.at(398, records)
	back := nextAbortive(records, 397, -1)
	r.press("{")
	r.at(back+1, records)
	r.press("{", "}")
	r.at(back+1, records)
	for range 500 {
		r.press("[")
	}
	r.at(1, records)
	for range 500 {
		r.press("]")
	}
	r.at(400, records)
}

func TestReplayStepsWithinTheFilter(t *testing.T) {
	records := demoFeed()
	r := newReplay(t, records, func(c *Config) { c.Filter = `process.name == "java"` })
	var javas []uint64
	for i := range records {
		if records[i].Teardown.Process.Name == "java" {
			javas = append(javas, uint64(i))
		}
	}
	last := len(javas) - 1
	r.press("[")
	r.selected(t, javas[last])
	r.press("[")
	r.selected(t, javas[last-1])
	r.shows(fmt.Sprintf("%d of ", last))
}

func TestReplayPlays(t *testing.T) {
	records := demoFeed() // 350 ms apart
	r := newReplay(t, records, func(c *Config) { c.Replay.Speed = 10 })
	r.shows("0/400", "▶ 10x")
	for range 10 {
		r.tick(frame)
	}
	// A second at 10x is ten seconds: the first record, and one each 350 ms.
	r.press("space")
	r.at(1+uint64(10*time.Second/(350*time.Millisecond)), records)
	r.tick(time.Hour)
	r.at(29, records)
	r.press("space")
	for range 1000 {
		r.tick(frame)
	}
	r.at(400, records)
	r.press("space") // at the end it starts again
	r.shows("0/400")
}

// TestReplayEqualsLive: at the end of a recording the screen shows what it
// showed live, apart from the words about the source.
func TestReplayEqualsLive(t *testing.T) {
	records := demoFeed()
	live := newRig(t, 100, 25, records, nil)
	replay := newReplay(t, records, nil)
	replay.press("{", "[", "[", "}", "]")
	for range 20 {
		replay.press("]") // back to the end, step by step
	}
	for place, view := range []string{"3", "4", "5"} {
		live.press(view)
		replay.press(view)
		l, p := live.s.groups[place].all, replay.s.groups[place].all
		if fmt.Sprint(l) != fmt.Sprint(p) {
			t.Errorf("view %s:\nlive   %v\nreplay %v", view, l, p)
		}
	}
	if live.s.sum.counts != replay.s.sum.counts {
		t.Errorf("counts %v, live %v", replay.s.sum.counts, live.s.sum.counts)
	}
}

// TestLongReplay: if a recording is longer than what is kept, only its last part can be
// navigated, and the screen says so.
func TestLongReplay(t *testing.T) {
	records := feed(5000, at, time.Millisecond)
	r := newReplay(t, records, func(c *Config) { c.Keep = 1000 })
	kept := r.s.frozen.journal.next - r.s.frozen.journal.first
	r.shows("5,000 ends", "(the last of 5,000)", fmt.Sprintf("%s/%s", human.Count(kept), human.Count(kept)))
	r.press("[")
	r.shows(fmt.Sprintf("%s/%s", human.Count(kept-1), human.Count(kept)))
}

// TestLongReplayCountsAll: at each position the counts are over all that came until then,
// also over what is not kept, and back at the end they are as they were.
func TestLongReplayCountsAll(t *testing.T) {
	records := feed(5000, at, time.Millisecond)
	late := records[5]
	late.Kind, late.Teardown.Verdict, late.Teardown.Cause = model.KindOutcome, model.Abortive, model.CauseDataAfterClose
	records = append(records[:4990:4990], append([]model.Record{late}, records[4990:]...)...)
	for _, filter := range []string{"", `process.name == "java"`} {
		r := newReplay(t, records, func(c *Config) { c.Keep, c.Filter = 1000, filter })
		check := func(n int) {
			t.Helper()
			whole := newRig(t, 100, 24, records[:n], func(c *Config) { c.Filter = filter })
			if got, want := r.s.sum, whole.s.sum; got.all != want.all || got.counts != want.counts {
				t.Fatalf("%q, at %d: %v of %d ends, want %v of %d", filter, n, got.counts, got.all, want.counts, want.all)
			}
			r.press("4")
			whole.press("4")
			sum := func(r *rig) (ends, lost uint64) {
				for _, row := range r.s.groups[processTable].all {
					ends, lost = ends+row.total, lost+row.lost
				}
				return ends, lost
			}
			ends, lost := sum(r)
			if wantEnds, wantLost := sum(whole); ends != wantEnds || lost != wantLost {
				t.Fatalf("%q, at %d: groups of %d ends that lost %d, want %d and %d", filter, n, ends, lost, wantEnds, wantLost)
			}
		}
		check(5001)
		for range 20 {
			r.press("[")
			check(int(r.s.replay.limit))
		}
		for r.s.replay.limit < 5001 {
			was := r.s.replay.limit
			r.press("]")
			check(int(r.s.replay.limit))
			if r.s.replay.limit == was {
				break
			}
		}
	}
}
