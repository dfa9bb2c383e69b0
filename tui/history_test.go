package tui

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestHistoryCountsEachSpan compares a history with a count of every span, while time goes
// on, ends come late, the clock is set back and copies go on, after which the first stay as they were.
func TestHistoryCountsEachSpan(t *testing.T) {
	const length, width = 5, time.Second
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		h, now := newHistory(length, width), model.Time(1000*width)
		newest, most, want := int64(0), int64(0), map[int64]uint32{}
		var kept history
		var then uint32
		for range 300 {
			switch n := random.IntN(20); n {
			case 0:
				now = now.Add(-time.Duration(random.IntN(4000)) * time.Millisecond)
				h.rewind(now)
				newest = min(newest, int64(now)/int64(width))
				for i := range want {
					if i > newest {
						delete(want, i)
					}
				}
			case 1:
				kept, then = h, h.at(h.newest)[model.Abortive]
				h = h.copy()
			default:
				now = now.Add(time.Duration(random.IntN(300)) * time.Millisecond)
				at := now
				if n == 2 {
					at = now.Add(-time.Duration(random.IntN(9000)) * time.Millisecond)
				}
				i := int64(at) / int64(width)
				newest = max(newest, i)
				most = max(most, newest)
				if i > newest-length {
					h.add(at, model.Abortive, 1)
					want[i]++
				}
			}
			for i := most - length + 1; i <= newest; i++ { // what most has written over is gone
				if got := h.at(i)[model.Abortive]; got != want[i] {
					t.Fatalf("span %d of %d has %d, want %d", i, newest, got, want[i])
				}
			}
			if kept.spans != nil && kept.at(kept.newest)[model.Abortive] != then {
				t.Fatal("the history that was copied has changed")
			}
		}
	}
}
