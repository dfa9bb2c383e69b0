package tui

import (
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestWhoResetsWhom: the abortive ends of a pair, by who ended them, add up, and are
// those of its records; first and last are the times of its first and last end.
func TestWhoResetsWhom(t *testing.T) {
	records := demoFeed()
	r := newRig(t, 120, 40, records, nil)
	r.press("7")
	r.shows("US→", "←PEER", "KERNEL")
	for _, row := range r.s.groups[pairTable].all {
		var want [model.NumDoers]uint64
		var first, last model.Time
		for i := range records {
			d := &records[i].Teardown
			if d.Process.Name != row.key.name || d.Network.Peer.Address != row.key.prefix.Addr() {
				continue
			}
			if first == 0 {
				first = d.Time
			}
			last = d.Time
			if d.Verdict != model.Abortive {
				continue
			}
			switch d.Terminator {
			case model.LocalApp:
				want[model.DoerUs]++
			case model.Peer:
				want[model.DoerPeer]++
			default:
				want[model.DoerKernel]++
			}
		}
		if row.aborts != want || row.counts[model.Abortive] != want[0]+want[1]+want[2] || row.first != first || row.last != last {
			t.Errorf("%v: %v from %v to %v, want %v from %v to %v", row.key, row.aborts, row.first, row.last, want, first, last)
		}
	}
}
