package findings

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestLeaks has CLOSE_WAIT at its limits: three of ten seconds, or one of a minute.
func TestLeaks(t *testing.T) {
	const at = model.Time(1e18)
	local, peer := netip.MustParseAddrPort("10.0.0.1:4000"), netip.MustParseAddrPort("10.0.0.2:80")
	open := func(pid int, silent ...time.Duration) (list []Open) {
		for i, s := range silent {
			list = append(list, Open{ID: fmt.Sprint(i), Process: "app", PID: pid, Local: local, Peer: netip.AddrPortFrom(peer.Addr(), uint16(80+i)), State: model.CloseWait, Silent: s})
		}
		return list
	}
	const s = time.Second
	for what, c := range map[string]struct {
		open   []Open
		count  uint64
		oldest time.Duration
		peer   string
	}{
		"three of ten seconds":       {open(7, 10*s, 12*s, 12*s), 3, 12 * s, "peer 10.0.0.2:81"},
		"one of them shorter":        {open(7, 10*s, 10*s, 10*s-1), 0, 0, ""},
		"two":                        {open(7, 12*s, 12*s), 0, 0, ""},
		"one of a minute":            {open(7, time.Minute), 1, time.Minute, "peer 10.0.0.2:80"},
		"one of less":                {open(7, time.Minute-1), 0, 0, ""},
		"of no process that is seen": {open(0, time.Hour, time.Hour, time.Hour), 0, 0, ""},
	} {
		e := New()
		e.Add(&model.Record{Kind: model.KindTeardown, Teardown: model.Teardown{Facts: model.Facts{Time: at, ID: "x"}}})
		e.See(at, c.open)
		e.Finish()
		r := e.Report()
		if c.count == 0 {
			if len(r.Findings) != 0 {
				t.Errorf("%s: got %+v", what, r.Findings)
			}
			continue
		}
		if len(r.Findings) != 1 {
			t.Errorf("%s: got %d findings", what, len(r.Findings))
			continue
		}
		f := r.Findings[0]
		if f.Count != c.count || f.Confidence != model.Certain || !f.Ongoing || f.Share != 0 || f.Last != at || f.First != at.Add(-c.oldest) ||
			f.Numbers["close_wait_ns"] != int64(c.oldest) || f.Numbers["open"] != int64(c.count) || !strings.Contains(f.Title, c.peer) || len(f.Evidence) != int(c.count) {
			t.Errorf("%s: got %+v", what, f)
		}
	}
	e := New()
	var many []Open
	for pid := range 2 * maxLeaks {
		many = append(many, open(pid+1, time.Hour)...)
	}
	e.See(at, slices.Concat(many, open(1, slices.Repeat([]time.Duration{time.Minute}, 2*maxEvidence)...)))
	if len(e.leaks) != maxLeaks || e.leaks[0].count != 2*maxEvidence+1 || len(e.leaks[0].ids) != maxEvidence {
		t.Errorf("%d processes, the first with %d and %d IDs", len(e.leaks), e.leaks[0].count, len(e.leaks[0].ids))
	}
}

// TestLossMakesInferred: where events were lost, a finding is inferred and says so.
func TestLossMakesInferred(t *testing.T) {
	e := New()
	f := Finding{Count: 4, First: 1e18, Last: 1e18 + model.Time(3*time.Second), Confidence: model.Certain, Numbers: map[string]int64{}}
	e.total, e.ordinary, e.newest = 6, 2, f.Last.Add(5*time.Second)
	if e.complete(&f); f.Share != 0.5 || !f.Ongoing || f.Confidence != model.Certain || f.Title != "" {
		t.Errorf("got %+v, want half of the connections, going on: they come each second, and five have passed", f)
	}
	e.newest++
	if e.complete(&f); f.Ongoing {
		t.Error("it goes on after more than five seconds")
	}
	f.Last = f.First.Add(30 * time.Second) // each ten seconds
	e.newest = f.Last.Add(30 * time.Second)
	if e.complete(&f); !f.Ongoing {
		t.Error("it does not go on, three intervals after the last one")
	}
	e.newest++
	if e.complete(&f); f.Ongoing {
		t.Error("it goes on after more than three intervals")
	}
	e.newest, f.Count, e.lost = f.Last, 1, 2
	if e.complete(&f); f.Ongoing || f.Confidence != model.Inferred || f.Numbers["lost_events"] != 2 || !strings.Contains(f.Title, "2 events were lost") {
		t.Errorf("one, and two lost events: got %+v", f)
	}
}

// TestRolling: what happened in this half minute and the one before it.
func TestRolling(t *testing.T) {
	const at = model.Time(1e18)
	var r rolling
	for _, c := range []struct {
		name  string
		after time.Duration
		most  string
		n     uint64
	}{
		{"b", 0, "b", 1},
		{"a", 1, "a", 1},
		{"b", rollAfter - 1, "b", 2},
		{"a", rollAfter, "a", 2},
		{"a", rollAfter + 1, "a", 3},
		{"c", 2 * rollAfter, "a", 2},
		{"c", 3 * rollAfter, "c", 2},
		{"c", 5 * rollAfter, "c", 2},
	} {
		r.add(c.name, at.Add(c.after))
		if name, n := r.most(); name != c.most || n != c.n {
			t.Errorf("after %v: %d of %s, want %d of %s", c.after, n, name, c.n, c.most)
		}
	}
	e := New()
	f := Finding{Numbers: map[string]int64{}}
	if got := e.ports(&f); got != "" || len(f.Numbers) != 0 {
		t.Errorf("nothing in TIME_WAIT: got %q", got)
	}
	e.timeWaits.add("curl", at)
	if got := e.ports(&f); got != " curl left 1 connection in TIME_WAIT within the last minute." || f.Numbers["time_wait"] != 1 {
		t.Errorf("got %q, %v", got, f.Numbers)
	}
	e.See(at, []Open{{Process: "curl"}, {Process: "curl"}})
	if got := e.ports(&f); !strings.HasSuffix(got, "within the last minute and has 2 open.") || f.Numbers["open"] != 2 {
		t.Errorf("got %q, %v", got, f.Numbers)
	}
	var full rolling
	for i := range maxNames + 5 {
		full.add(fmt.Sprint(i), at)
	}
	if len(full.now) != maxNames {
		t.Errorf("%d names, want %d", len(full.now), maxNames)
	}
}

// TestGroupAdds: what a group has of its connections.
func TestGroupAdds(t *testing.T) {
	const at = model.Time(1e18)
	peer := netip.MustParseAddrPort("10.0.0.2:80")
	add := func(g *group, edit func(*end, *match)) {
		x := end{id: "x", time: at, peer: peer, pid: 7, sent: 5, received: 5, role: model.Passive}
		m := match{end: &x}
		edit(&x, &m)
		g.add(&m)
	}
	var g group
	add(&g, func(x *end, m *match) { x.verdict, x.closeTime = model.Abortive, at+5 })
	add(&g, func(x *end, m *match) { x.id, x.closeTime, x.time, m.also = "y", at+3, at-1, "attempt" })
	add(&g, func(x *end, m *match) { x.id, x.pid, x.speaker, m.detail = "z", 0, model.SidePeer, "SIGTERM" })
	add(&g, func(x *end, m *match) { x.speaker, m.detail, x.oom = model.SidePeer, "SIGKILL", model.Some(false) })
	add(&g, func(x *end, m *match) { x.sent, x.speaker, m.detail, x.pid = 0, model.SidePeer, "SIGTERM", 8 })
	if g.first != at-1 || g.last != at || g.closed != [2]model.Time{at, at + 5} || g.reset != 1 || g.inferred {
		t.Errorf("got from %d to %d, closed %v, %d reset", g.first-at, g.last-at, g.closed, g.reset)
	}
	if !slices.Equal(g.evidence, []string{"x", "y", "attempt", "z"}) || !slices.Equal(g.pids, []int{7, 8}) || len(g.peers) != 1 {
		t.Errorf("got %v, processes %v, peers %v", g.evidence, g.pids, g.peers)
	}
	if g.spokeLast != 2 || g.asked != 0 || !g.mute || g.detail != "SIGTERM" || g.detailed != 2 || g.oom != 0 || g.notOOM != 1 || g.signal() != "" {
		t.Errorf("got %+v", g)
	}
	for rule, want := range map[string]bool{"fin-active": false, "fin-passive": true} {
		var g group
		add(&g, func(x *end, _ *match) { x.inferred, x.rule = true, rule })
		if g.inferred != want || g.mute {
			t.Errorf("inferred by %s: %v, mute %v", rule, g.inferred, g.mute)
		}
	}
	var killed group
	add(&killed, func(x *end, m *match) { x.toldBy, x.toldPID = "sh", 9 })
	add(&killed, func(x *end, m *match) { x.toldBy, x.toldPID, m.told = "systemd", 1, true })
	add(&killed, func(x *end, m *match) { x.toldBy, x.toldPID, m.told, x.oom = "other", 2, true, model.Some(true) })
	if killed.killer != "systemd" || killed.killerPID != 1 || killed.oom != 1 {
		t.Errorf("got %+v", killed)
	}
	var many group
	for i := range 20 {
		add(&many, func(x *end, _ *match) {
			x.id, x.pid, x.peer = fmt.Sprint(i), i+1, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 80)
		})
		if names := [3]string{0: "10.0.0.0", 1: "2 peers", 2: "3 peers"}; i < len(names) && many.peerName() != names[i] {
			t.Errorf("%d peers: got %q", i+1, many.peerName())
		}
	}
	if len(many.evidence) != maxEvidence || len(many.pids) != maxPeers || len(many.peers) != maxPeers || many.peerName() != "more than 8 peers" {
		t.Errorf("got %d, %d, %d, %q", len(many.evidence), len(many.pids), len(many.peers), many.peerName())
	}
}

// TestFilterOfAGroup: what chooses its ends.
func TestFilterOfAGroup(t *testing.T) {
	const cause = `cause == "fin"`
	long := strings.Repeat("x", maxText)
	for want, g := range map[string]group{
		`process.name == "nginx" && network.local.port == 80 && ` + cause: {key: key{process: "nginx", port: 80, passive: true}},
		`network.peer.port == 80 && ` + cause:                             {key: key{port: 80}},
		`network.peer.port == 81 && ` + cause:                             {key: key{port: 81, process: long}}, // may be cut
		cause:                                                             {key: key{passive: true}},
		`process.name == "` + long[1:] + `" && network.peer.address == "10.0.0.2" && ` + cause: {key: key{process: long[1:], peer: netip.MustParseAddr("10.0.0.2")}},
	} {
		if got := g.filter(&Pattern{Filter: cause}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	g := group{key: key{port: 80}}
	if got := g.filter(&Pattern{Filter: "true"}); got != "network.peer.port == 80" {
		t.Errorf("got %s", got)
	}
}
