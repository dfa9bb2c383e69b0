package findings

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestHostileRecordsCostNoMore: the work that one record causes does not grow with the
// records before it, whatever they have in common. A user of a traced host can make ends
// with one tuple; a recording can be crafted with any other collision.
func TestHostileRecordsCostNoMore(t *testing.T) {
	const many = 4 * kept
	begin := model.TimeOf(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	one := model.Endpoint{Address: netip.MustParseAddr("127.0.0.2"), Port: 7}
	for name, alter := range map[string]func(i int, r *model.Record){
		"healthy": func(int, *model.Record) {},
		"one tuple": func(_ int, r *model.Record) {
			r.Teardown.Network.Peer = one
		},
		"one id": func(_ int, r *model.Record) { r.Teardown.ID = "b-0" },
		"one fingerprint": func(_ int, r *model.Record) {
			r.Teardown.TCP.Fingerprint = 7
		},
		"all the same": func(_ int, r *model.Record) {
			r.Teardown.ID, r.Teardown.Network.Peer, r.Teardown.TCP.Fingerprint = "b-0", one, 7
		},
		"outcomes of one end": func(i int, r *model.Record) {
			if r.Teardown.ID = "b-0"; i > 0 {
				r.Kind = model.KindOutcome
			}
		},
		"outcomes in the middle of a chain": func(i int, r *model.Record) {
			if r.Teardown.Network.Peer = one; i%8 == 7 {
				r.Kind, r.Teardown.ID = model.KindOutcome, fmt.Sprint("b-", i-5)
			}
		},
		"resets of one tuple": func(i int, r *model.Record) {
			if r.Teardown.Network.Peer = one; i%2 == 0 {
				r.Kind, r.Stray = model.KindStray, model.Stray{First: r.Teardown.Time, Why: model.StrayNotOurs}
			}
		},
		"more at once than are kept": func(_ int, r *model.Record) { r.Teardown.Time = begin },
		"ten times too fast": func(i int, r *model.Record) {
			r.Teardown.Time = begin.Add(time.Duration(i) * time.Microsecond)
		},
		"backwards": func(i int, r *model.Record) {
			r.Teardown.Time = begin.Add(-time.Duration(i) * time.Microsecond)
		},
		"up and down": func(i int, r *model.Record) {
			r.Teardown.Time = begin.Add(time.Duration(i/4096%2*(i%4096)) * time.Microsecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := New()
			for i := range many {
				r := model.Record{Kind: model.KindTeardown}
				r.Teardown.ID, r.Teardown.Time = fmt.Sprint("b-", i), begin.Add(time.Duration(i)*10*time.Microsecond)
				r.Teardown.Cause, r.Teardown.TCP.Role = model.CauseRefused, model.Active
				r.Teardown.Network.Local = model.Endpoint{Address: netip.MustParseAddr("127.0.0.1"), Port: 4000}
				r.Teardown.Network.Peer = model.Endpoint{Address: netip.MustParseAddr(fmt.Sprintf("127.1.%d.%d", i>>8&255, i&255)), Port: uint16(i >> 16)}
				alter(i, &r)
				e.Add(&r)
			}
			e.Finish()
			steps := e.walked
			for i := range e.indexes {
				steps += e.indexes[i].steps
			}
			if each := float64(steps) / many; each > 4*maxSteps {
				t.Errorf("looked at %.0f ends for each record, want at most %d", each, 4*maxSteps)
			} else {
				t.Logf("%.1f ends for each record", each)
			}
			checkChains(t, e)
		})
	}
}

// checkChains: links are the same in both directions, each end is in an index at most
// once, and no chain has a dropped end.
func checkChains(t *testing.T, e *Engine) {
	t.Helper()
	for i := range e.indexes {
		x := &e.indexes[i]
		linked, chained := 0, 0
		for _, r := range e.ring {
			if r.links[i].hash != 0 {
				linked++
			}
		}
		for _, head := range x.heads {
			var before *end
			for at := head; at != nil && chained <= linked; before, at = at, at.links[i].next {
				if chained++; at.links[i].previous != before || at.links[i].hash == 0 {
					t.Fatalf("index %d: a chain is broken", i)
				}
			}
		}
		if linked != chained {
			t.Errorf("index %d: %d ends say that they are in it, and its chains have %d", i, linked, chained)
		}
	}
}
