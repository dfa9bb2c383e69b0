package etwsrc

import (
	"slices"
	"testing"

	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/etwsrc/internal/manifest"
	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// The events that each provider must be asked for (docs/etw.md, 1.2, 2 and 3)
// and their level and keywords in windows-events.json, written out: what tells
// an end must not fall out by an edit of one table.
var needed = map[raw.Provider][]uint16{
	raw.TCPIP: {
		1002, 1017, 1033, 1034, 1038, 1039, 1040, 1043, 1044, 1045, 1046, 1047, 1048, 1051, 1183, 1184, 1185,
		1200, 1201, 1300, 1446, 1468, 1477, 1479, 1480, 1555, 1603,
	},
	raw.AFD:           {7, 8, 1000, 1001, 1018, 1021, 1024, 1027, 1032, 3006},
	raw.Sockets:       {2, 3, 4, 6, 8, 10},
	raw.KernelNetwork: {12, 13, 15, 28, 29, 31},
	raw.KernelTCP:     {12, 13, 15, 28, 29, 31}, // TcpIp_TypeGroup1 to 4
}

// Every event that is read has a template in each version that is public:
// otherwise it would count as lost.
func TestEventsThatAreReadHaveTemplates(t *testing.T) {
	all, err := manifest.Events()
	if err != nil {
		t.Fatal(err)
	}
	for p, ids := range needed {
		if got := join.Events(p); !slices.Equal(got, ids) {
			t.Errorf("%v: %v are read, want %v", p, got, ids)
		}
		for _, id := range ids {
			_, err := payload.NewDecoder().Decode(p, &raw.Event{ID: id, Version: 255, PointerSize: 8, Data: make([]byte, 512)})
			if err != nil {
				t.Errorf("%v %d: %v", p, id, err)
			}
			if !slices.ContainsFunc(all, func(e manifest.Event) bool { return e.Provider == p.String() && e.ID == id }) {
				t.Errorf("%v %d is in no manifest", p, id)
			}
		}
	}
}

// The kernel logger and Microsoft-Windows-Kernel-Network have the same events;
// what one has for IPv4 it has for IPv6, whose number is 16 more.
func TestNetworkEventsComeInPairs(t *testing.T) {
	all, err := manifest.Events()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []raw.Provider{raw.KernelNetwork, raw.KernelTCP} {
		for _, e := range all {
			has := func(id uint16) bool {
				return slices.ContainsFunc(all, func(o manifest.Event) bool { return o.Provider == p.String() && o.ID == id })
			}
			if e.Provider == p.String() && e.ID != 17 && (e.ID < 26 && !has(e.ID+16) || e.ID >= 26 && !has(e.ID-16)) {
				t.Errorf("%v %d has no other half", p, e.ID)
			}
		}
	}
}

// What a live session asks for reaches every event that is read: the level and
// the keywords let it through, with the filter by event and without.
func TestSubscriptionsReachTheEvents(t *testing.T) {
	want := map[raw.Provider]subscription{
		// 0x80 lets 1184 through, which only has that and paths; 0x4 the changes
		// of state; 0x10 1446, and 0x200000000000 1477 and 1480.
		raw.TCPIP: {any: 0x200000000094, level: 4, plainAny: 0x84, plainLevel: 4},
		// Without the filter level 4 would tell every send and receive.
		raw.AFD: {any: 0xE, level: 4, plainAny: 0xE, plainLevel: 2, optional: true},
		// The begin of closesocket has level 5.
		raw.Sockets:       {level: 5, plainLevel: 5, optional: true},
		raw.KernelNetwork: {any: 0x30, level: 4, optional: true},
	}
	list := subscriptions()
	if len(list) != len(want) {
		t.Errorf("%d subscriptions, want %d", len(list), len(want))
	}
	for _, s := range list {
		w := want[s.provider]
		if s.any != w.any || s.level != w.level || s.plainAny != w.plainAny || s.plainLevel != w.plainLevel || s.optional != w.optional {
			t.Errorf("%v: %+v, want %+v", s.provider, s, w)
		}
		if !slices.Equal(s.ids, needed[s.provider]) || len(s.ids) > 64 {
			t.Errorf("%v: filter %v, want %v", s.provider, s.ids, needed[s.provider])
		}
	}
}
