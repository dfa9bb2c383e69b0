//go:build linux

package tracer

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// tenantPlay is a table of tenants that no program fills.
type tenantPlay struct {
	slots []bpf.TraceTenant
	parts []bpf.TracePart
	*tenants
	losses []model.Loss
	tables []model.Table
}

func newTenantPlay(slots int) *tenantPlay {
	p := &tenantPlay{slots: make([]bpf.TraceTenant, slots), parts: make([]bpf.TracePart, 2)}
	p.tenants = newTenants(bytes.NewReader(bytesOf(p.slots)), bytes.NewReader(bytesOf(p.parts)), slots, len(p.parts), 1000)
	return p
}

func (p *tenantPlay) refuse(slot int, who, n uint64) {
	p.slots[slot].Who = who
	p.slots[slot].Refused += n
	p.slots[0].Refused += n
}

func (p *tenantPlay) told(at ktime, final bool) []model.Loss {
	p.losses = nil
	p.report(at, model.Time(at), final, func(e *model.Event) bool {
		switch e.Kind {
		case model.KindTable:
			p.tables = append(p.tables, e.Table)
		default:
			p.losses = append(p.losses, e.Loss)
		}
		return true
	})
	return p.losses
}

// TestRefusedAreTold: each tenant is reported once a second with what came since, and at
// the end at once.
func TestRefusedAreTold(t *testing.T) {
	p := newTenantPlay(8)
	if got := p.told(ktime(time.Minute), false); len(got) != 0 {
		t.Errorf("nobody was refused: told %+v", got)
	}
	now := ktime(2 * time.Minute)
	p.refuse(3, 7<<32|1000, 5)
	p.refuse(4, 2000, 9)
	p.slots[4].Open = 600
	got := p.told(now, false)
	want := []model.Loss{
		{Time: model.Time(now), Count: 9, Where: "connection-table", Held: 600, Max: 1000, UID: model.Some[uint32](2000)},
		{Time: model.Time(now), Count: 5, Where: "connection-table", Max: 1000, NetNS: 7, UID: model.Some[uint32](1000)},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v, want %+v", got, want)
	}
	p.refuse(3, 7<<32|1000, 2)
	if got := p.told(now.add(time.Second-1), false); len(got) != 0 {
		t.Errorf("within a second: told %+v", got)
	}
	if got := p.told(now.add(time.Second), false); len(got) != 1 || got[0].Count != 2 {
		t.Errorf("after a second: got %+v, want the 2 since", got)
	}
	p.slots[3].Refused = 0 // another has the slot
	p.refuse(3, 7<<32|1001, 1)
	if got := p.told(now.add(time.Second), true); len(got) != 1 || got[0].Count != 1 || !got[0].UID.Is(1001) {
		t.Errorf("at the end, another in the same slot: got %+v, want his 1", got)
	}
}

// TestManyAreRefused: those with most are named, and the sum is right.
func TestManyAreRefused(t *testing.T) {
	p := newTenantPlay(100)
	sum := uint64(0)
	for slot := 1; slot < 100; slot++ {
		p.refuse(slot, uint64(slot), uint64(slot))
		p.slots[slot].Open = 2
		sum += uint64(slot)
	}
	got := p.told(ktime(time.Minute), true)
	if len(got) != refusedMax+1 || !got[0].UID.Is(99) || got[refusedMax].UID.Known() || got[refusedMax].Held != 2*(99-refusedMax) {
		t.Fatalf("got %+v", got)
	}
	for _, l := range got {
		sum -= l.Count
	}
	if sum != 0 {
		t.Errorf("%d are not told", sum)
	}
}

// TestRefusedOfAnother: refusals of a tenant whose slot another one has taken are still
// losses, without a name.
func TestRefusedOfAnother(t *testing.T) {
	p := newTenantPlay(8)
	p.refuse(3, 7<<32|1000, 5)
	p.told(ktime(time.Minute), true)
	p.refuse(3, 7<<32|1000, 100)
	p.slots[3].Refused = 0
	p.refuse(3, 8<<32|uint64(^uint32(0)), 1) // a whole namespace
	got := p.told(ktime(2*time.Minute), true)
	if len(got) != 2 || got[0].Count != 100 || got[0].UID.Known() || got[0].NetNS != 0 ||
		got[1].Count != 1 || got[1].UID.Known() || got[1].NetNS != 8 {
		t.Errorf("got %+v, want the 100 without a name and the 1 of namespace 8", got)
	}
	p.refuse(3, 8<<32|uint64(^uint32(0)), 1)
	p.slots[3].Refused++ // the sum was read before
	if got := p.told(ktime(150*time.Second), true); len(got) != 1 || got[0].Count != 2 {
		t.Errorf("got %+v, want the 2 of namespace 8", got)
	}
	p.slots[0].Refused++
	if got := p.told(ktime(160*time.Second), true); len(got) != 0 {
		t.Errorf("got %+v, want what was told once", got)
	}
	p.refuse(4, 9<<32|0xfffe0050, 1) // through a listener of root's at port 80
	if got := p.told(ktime(3*time.Minute), true); len(got) != 1 || !got[0].UID.Is(0) || got[0].NetNS != 9 {
		t.Errorf("got %+v, want root's in namespace 9", got)
	}
}

// TestConnectionsFor: an entry for each 128 KiB, within bounds.
func TestConnectionsFor(t *testing.T) {
	for meminfo, want := range map[string]uint32{
		"MemTotal:       16777216 kB\nMemFree: 1 kB\n": 131072,
		"MemTotal:        1048576 kB\n":                65536,
		"MemTotal:     1056768000 kB\n":                1 << 20,
		"MemTotal: 18446744073709551615 kB\n":          65536, // more than any host has
		"":                                             65536, "MemTotal:": 65536, "MemTotal: x kB": 65536,
	} {
		if got := connectionsFor(meminfo); got != want {
			t.Errorf("%q: got %d, want %d", meminfo, got, want)
		}
	}
}

// TestTableFills: how full the table is, and who has most of it, is reported before any
// connection can be refused, again with each eighth, and when there is room again.
func TestTableFills(t *testing.T) {
	p := newTenantPlay(8)
	now := ktime(time.Minute)
	p.slots[2].Who, p.slots[5].Who = 7<<32|1000, 2000
	for _, step := range []struct {
		all, most int64
		want      int // lines so far
	}{
		{499, 400, 0}, {500, 401, 1}, {624, 401, 1}, {630, 402, 2}, {500, 300, 2}, {400, 300, 2}, {332, 300, 3}, {333, 300, 3}, {510, 300, 4},
	} {
		p.slots[0].Open, p.slots[2].Open, p.slots[5].Open = step.all+40, step.most-20, step.all-step.most
		p.parts[0].Open[0], p.parts[1].Open[0], p.parts[1].Open[2] = -50, 10, 20 // not told by the processors
		now = now.add(time.Second)
		p.told(now, false)
		if len(p.tables) != step.want {
			t.Fatalf("%d of 1000 entries: %d lines so far, want %d", step.all, len(p.tables), step.want)
		}
	}
	want := []model.Table{
		{Time: model.Time(time.Minute + 2*time.Second), Held: 500, Max: 1000, Most: 401, NetNS: 7, UID: model.Some[uint32](1000)},
		{Time: model.Time(time.Minute + 4*time.Second), Held: 630, Max: 1000, Most: 402, NetNS: 7, UID: model.Some[uint32](1000)},
		{Time: model.Time(time.Minute + 7*time.Second), Held: 332, Max: 1000},
		{Time: model.Time(time.Minute + 9*time.Second), Held: 510, Max: 1000, Most: 300, NetNS: 7, UID: model.Some[uint32](1000)},
	}
	if !slices.Equal(p.tables, want) {
		t.Errorf("got %+v, want %+v", p.tables, want)
	}
}
