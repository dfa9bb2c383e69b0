package tui

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestWordsOfCounted: whose they are, at which port, and how many.
func TestWordsOfCounted(t *testing.T) {
	for want, c := range map[string]struct {
		process model.Process
		role    model.Role
		counted model.Counted
	}{
		"nginx[7] at port 80: 5 graceful, only counted; sent 10 B, received 20 B":                                            {model.Process{Name: "nginx", PID: 7}, model.Passive, model.Counted{Ends: 5, Sent: 10, Received: 20}},
		"curl[8] to port 443: 1 graceful, only counted; sent 0 B, received 0 B":                                              {model.Process{Name: "curl", PID: 8}, model.Active, model.Counted{Ends: 1}},
		"a process at port 80: 2 counted before are reported after all":                                                      {model.Process{}, model.Passive, model.Counted{TakenBack: 2}},
		"a process[7] at port 80: 3 graceful, only counted; sent 0 B, received 0 B; 1 counted before are reported after all": {model.Process{PID: 7}, model.Passive, model.Counted{Ends: 3, TakenBack: 1}},
	} {
		r := model.Record{Kind: model.KindCounts, Counted: c.counted}
		r.Teardown.Process, r.Teardown.TCP.Role = c.process, c.role
		r.Teardown.Network.Local.Port, r.Teardown.Network.Peer.Port = 80, 443
		if got := countedWord(&r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestCountedChange: what is taken back makes no count negative.
func TestCountedChange(t *testing.T) {
	var p perVerdict
	for _, c := range []struct{ ends, back, want uint64 }{{5, 0, 5}, {1, 2, 4}, {0, 9, 0}} {
		if p.change(&model.Counted{Ends: c.ends, TakenBack: c.back}); p[model.Graceful] != c.want {
			t.Errorf("%d more, %d less: got %d, want %d", c.ends, c.back, p[model.Graceful], c.want)
		}
	}
	const at = model.Time(1e18)
	h := newHistory(groupSpans, groupSpan)
	for _, c := range []struct{ ends, back, want uint64 }{{5, 0, 5}, {1, 2, 4}, {0, 9, 0}} {
		h.change(at, &model.Counted{Ends: c.ends, TakenBack: c.back})
		if got := h.span(h.number(at))[model.Graceful]; uint64(got) != c.want {
			t.Errorf("%d more, %d less at that time: got %d, want %d", c.ends, c.back, got, c.want)
		}
	}
	h.change(at.Add(-time.Hour), &model.Counted{TakenBack: 9}) // before what it has
	if got := h.span(h.number(at))[model.Graceful]; got != 0 {
		t.Errorf("got %d", got)
	}
}

func TestMostly(t *testing.T) {
	for _, c := range []struct {
		counts map[model.Cause]uint32
		want   model.Cause
	}{
		{nil, model.CauseFIN},
		{map[model.Cause]uint32{model.CauseFIN: 9}, model.CauseFIN},
		{map[model.Cause]uint32{model.CauseFIN: 9, model.CausePeerReset: 1}, model.CausePeerReset},
		{map[model.Cause]uint32{model.CauseUnreadData: 2, model.CausePeerReset: 1}, model.CauseUnreadData},
		{map[model.Cause]uint32{model.CauseUnreadData: 1, model.CausePeerReset: 2}, model.CausePeerReset},
	} {
		var causes [model.NumCauses]uint32
		for cause, n := range c.counts {
			causes[cause] = n
		}
		if got := mostly(&causes); got != c.want {
			t.Errorf("of %v: got %v, want %v", c.counts, got, c.want)
		}
	}
}

// TestFoldedGroups: past the bound small groups become one, which has all that they had.
func TestFoldedGroups(t *testing.T) {
	const at = model.Time(1e18)
	table := newTable(byCause)
	for i := range maxGroups + 3 {
		g := table.group(groupKey{pid: i + 1})
		g.counts[model.Abortive], g.causes[model.CausePeerReset], g.aborts[model.DoerPeer], g.lost = 2, 2, 2, 10
		if i == 0 {
			g.counts[model.Abortive] = 1 << 40 // the largest stays, whatever is taken at random
		}
		g.seen(at.Add(time.Duration(i)), at.Add(time.Duration(i)+time.Minute))
		g.history.add(at, model.Abortive, 2)
	}
	o := table.others
	if len(table.groups) != maxGroups || o == nil || !o.key.others || table.groups[groupKey{pid: 1}] == nil {
		t.Fatalf("%d groups, others %v", len(table.groups), o)
	}
	if o.counts[model.Abortive] != 6 || o.causes[model.CausePeerReset] != 6 || o.aborts[model.DoerPeer] != 6 || o.lost != 30 || o.history.span(o.history.number(at))[model.Abortive] != 6 {
		t.Errorf("got %+v", o)
	}
	if o.first < at || o.last < at.Add(time.Minute) || o.last.Sub(o.first) < time.Minute {
		t.Errorf("from %d to %d", o.first-at, o.last-at)
	}
	if g := table.group(groupKey{pid: 2 * maxGroups}); g.counts.total() != 0 || g.lost != 0 || g.first != 0 {
		t.Errorf("a new group has what a folded one had: %+v", g)
	}
}

func TestGroupKeys(t *testing.T) {
	end := func(peer string) *model.Teardown {
		var t model.Teardown
		t.Network.Local.Address, _ = netip.ParseAddr("10.9.9.9")
		t.Network.Peer.Address, _ = netip.ParseAddr(peer)
		return &t
	}
	for peer, want := range map[string][2]string{
		"10.1.2.3": {"10.1.2.3/32", "10.1.2.0/24"}, "2001:db8:1:2:3::4": {"2001:db8:1:2:3::4/128", "2001:db8:1:2::/64"}, "": {"invalid Prefix", "invalid Prefix"},
	} {
		if got := [2]string{peerKey(end(peer)).prefix.String(), prefixKey(end(peer)).prefix.String()}; got != want {
			t.Errorf("%q: got %v, want %v", peer, got, want)
		}
	}
	for _, c := range []struct {
		name        string
		pid, closer int
		wantName    string
		wantPID     int
	}{{"nginx", 7, 8, "nginx", 7}, {"", 0, 8, "closer", 8}, {"nginx", 0, 8, "nginx", 0}, {"", 7, 8, "", 7}} {
		e := end("")
		e.Process.Name, e.Process.PID, e.Closer.PID, e.Closer.Name = c.name, c.pid, c.closer, "closer"
		if k := processKey(e); k.pid != c.wantPID || k.name != c.wantName {
			t.Errorf("%q[%d], closed by %d: got %q[%d]", c.name, c.pid, c.closer, k.name, k.pid)
		}
	}
}
