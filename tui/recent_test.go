package tui

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestLastMinuteIsOfTheSameEnds: with t all columns count the ends of the last minute:
// also those that are not kept any more, as outcomes left them, and the others.
func TestLastMinuteIsOfTheSameEnds(t *testing.T) {
	records := feed(9000, at, 20*time.Millisecond)
	for i := range records {
		d := &records[i].Teardown
		d.Network.Peer.Address = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
	}
	amended := map[string]*model.Teardown{}
	for i := 0; i < 9000; i += 7 { // half of the kept are later evidence for ends of long ago
		late := records[i]
		late.Kind = model.KindOutcome
		late.Teardown.Verdict, late.Teardown.Cause, late.Teardown.Terminator = model.Abortive, model.CauseDataAfterClose, model.LocalKernel
		late.Teardown.TCP.Bytes = model.Bytes{Unacked: model.Some(uint64(1000)), Unread: model.Some(uint64(0))}
		records = append(records, late)
		amended[late.Teardown.ID] = &late.Teardown
	}
	r := newRig(t, 200, 24, records, func(c *Config) { c.Keep = 500 })
	from := model.Time((int64(r.s.now)/int64(groupSpan) - recentSpans + 1) * int64(groupSpan))
	var want groupRow
	causes := map[model.Cause]uint64{}
	for i := range records[:9000] {
		d := &records[i].Teardown
		if late := amended[d.ID]; late != nil {
			d = late
		}
		if d.Time < from {
			continue
		}
		want.counts.add(d.Verdict, 1)
		want.lost += d.TCP.Bytes.Lost()
		causes[d.Cause]++
		if d.Verdict == model.Abortive {
			want.aborts[d.Terminator.Doer()]++
		}
	}
	r.press("3", "t")
	for place, view := range []string{"3", "4", "5", "7"} {
		r.press(view)
		var got groupRow
		for _, row := range r.s.groups[place].all {
			got.lost += row.lost
			for v, n := range row.counts {
				got.counts[v] += n
			}
			for by, n := range row.aborts {
				got.aborts[by] += n
			}
			if place == causeTable && (row.mostly != row.key.cause || row.total != causes[row.key.cause]) {
				t.Errorf("%v is mostly %v and has %d ends, want %d", row.key.cause, row.mostly, row.total, causes[row.key.cause])
			}
		}
		if got.counts != want.counts || got.lost != want.lost || got.aborts != want.aborts {
			t.Errorf("view %s: %v, lost %d, ended by %v; want %v, %d, %v", view, got.counts, got.lost, got.aborts, want.counts, want.lost, want.aborts)
		}
	}
	if others := r.s.groups[peerTable].all; !others[len(others)-1].key.others || others[len(others)-1].lost == 0 {
		t.Error("the others lost nothing")
	}
}

// TestLastMinuteForgets: a group that goes on keeps the cells of its last minute only, and
// of those that the clock was set back over none.
func TestLastMinuteForgets(t *testing.T) {
	d := newDeck(10)
	now := at
	add := func(n int) {
		for range n {
			now = now.Add(time.Second)
			end := teardown()
			end.Teardown.Time, end.Teardown.ID = now, now.Go().String()
			end.Teardown.Verdict, end.Teardown.Cause = model.Abortive, model.CausePeerReset
			d.add(&end)
		}
	}
	check := func(want uint64) {
		t.Helper()
		for _, g := range d.all.tables[byCause].groups {
			row, all := groupRow{}, g.history.last(now, time.Minute)
			g.lastMinute(&row, now)
			if n := row.aborts[model.DoerKernel] + row.aborts[model.DoerPeer] + row.aborts[model.DoerUs]; n != want || all.total() != want {
				t.Errorf("%d and %d in the last minute, want %d", n, all.total(), want)
			}
			if len(g.recent) > 32 {
				t.Errorf("%d cells", len(g.recent))
			}
		}
	}
	add(3000)
	check(uint64(60 - (4 - int64(now)/int64(time.Second)%5)))
	now = now.Add(-30 * time.Second)
	d.add(&model.Record{Kind: model.KindClock, Clock: model.Clock{Time: now, Step: -30 * time.Second}})
	add(600)
	check(uint64(60 - (4 - int64(now)/int64(time.Second)%5)))
}
