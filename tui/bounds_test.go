package tui

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestMemoryIsBounded counts what is kept, in pauses as well.
func TestMemoryIsBounded(t *testing.T) {
	r := newRig(t, 80, 24, nil, func(c *Config) { c.Keep = 2000 })
	records := feed(700, at, time.Millisecond)
	for i := range 60 {
		r.add(records...)
		if i%7 == 3 {
			r.press("space")
		}
		j := &r.in.deck.journal
		if kept := j.next - j.first; kept > 2000+2*chunkSize || len(j.chunks)+len(j.spare) > 2*j.limit {
			t.Fatalf("%d records are kept in %d chunks, and %d spare ones", kept, len(j.chunks), len(j.spare))
		}
		if n := r.in.deck.hits.len(); n > 2000+2*chunkSize {
			t.Fatalf("%d hits are kept", n)
		}
	}
	if got, want := r.in.deck.all.counts.total(), uint64(60*700); got != want {
		t.Errorf("counted %d ends, want %d", got, want)
	}
}

// TestGroupsAreBounded: a scan from many addresses folds into one row, and no
// end is lost from the counts.
func TestGroupsAreBounded(t *testing.T) {
	d := newDeck(1000)
	r := feedRecordAt(at)
	heavy := netip.MustParseAddr("192.0.2.1")
	for i := range 20_000 {
		r.Teardown.Network.Peer.Address = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if i%10 == 0 {
			r.Teardown.Network.Peer.Address = heavy
		}
		d.add(&r)
	}
	table := d.all.tables[byPeer]
	sum := table.others.counts.total()
	for _, g := range table.groups {
		sum += g.counts.total()
	}
	if sum != 20_000 || len(table.groups) > maxGroups {
		t.Errorf("%d ends in %d groups, want 20000 in at most %d", sum, len(table.groups), maxGroups)
	}
	g := table.groups[groupKey{prefix: netip.PrefixFrom(heavy, 32)}]
	if g == nil || g.counts.total() != 2000 {
		t.Errorf("the peer of every tenth end has %+v, want 2000 ends", g)
	}
}

// TestQueryIsPartOfWhatItWasAskedAbout: a query that every end matches has as many ends
// as it was asked about, even when many of them are no longer kept.
func TestQueryIsPartOfWhatItWasAskedAbout(t *testing.T) {
	d := newDeck(1000)
	add := func(n int) {
		for _, r := range feed(n, at, time.Millisecond) {
			if r.Kind == model.KindTeardown {
				d.add(&r)
			}
		}
	}
	add(10_000)
	d.choose(func(*model.Record) bool { return true })
	add(10_000)
	var s summary
	s.take(d, at, 0)
	if got := s.counts.total(); !s.partial || got != s.asked || got < 10_000 {
		t.Errorf("%d of the last %d (partial: %v), want as many of at least 10,000", got, s.asked, s.partial)
	}
}

// TestRegroupedCountsAreComplete: x shows all ends in other groups, also those that are not
// kept any more.
func TestRegroupedCountsAreComplete(t *testing.T) {
	for _, chosen := range []bool{false, true} {
		r := newRig(t, 120, 24, nil, func(c *Config) { c.Keep = 1000 })
		if chosen {
			r.press("f")
			r.typed(`process.name != ""`)
			r.press("enter")
		}
		r.add(feed(5000, at, time.Millisecond)...)
		for _, view := range []string{"4", "5"} {
			r.press(view)
			for range 3 {
				r.press("x")
				var sum uint64
				for _, row := range r.s.view.(*groupList).all {
					sum += row.total
				}
				if sum != 5000 {
					t.Errorf("view %s has %d ends, want 5000", view, sum)
				}
			}
		}
	}
}
