package findings

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestMoments: ends of one cause and network, within a tenth of a second, of connections
// that were open together.
func TestMoments(t *testing.T) {
	const at = model.Time(slice) * 1e10
	reset := func(after time.Duration) *end {
		return &end{
			id: fmt.Sprint(after), time: at.Add(after), began: at.Add(-time.Hour), verdict: model.Abortive, cause: model.CausePeerReset,
			process: "nginx", role: model.Passive, local: netip.MustParseAddrPort("10.0.0.1:80"), peer: netip.MustParseAddrPort("10.0.1.9:50000"),
		}
	}
	for what, c := range map[string]struct {
		edit func(*end)
		want uint64 // in the largest moment, of 11 ends of which this is the last
	}{
		"all fits":            {func(*end) {}, 11},
		"a tenth later":       {func(e *end) { e.time = at.Add(slice) }, 11},
		"more than that":      {func(e *end) { e.time = at.Add(slice + 1) }, 10},
		"another cause":       {func(e *end) { e.cause = model.CauseUnreadData }, 10},
		"another network":     {func(e *end) { e.peer = netip.MustParseAddrPort("10.0.2.9:50000") }, 10},
		"graceful":            {func(e *end) { e.verdict = model.Graceful }, 10},
		"never open":          {func(e *end) { e.verdict = model.FailedOpen }, 10},
		"unknown":             {func(e *end) { e.verdict = model.VerdictUnknown }, 10},
		"begun as they ended": {func(e *end) { e.began = at }, 11},
		"begun after it":      {func(e *end) { e.began = at + 1 }, 10},
	} {
		var m moments
		for i := range 10 {
			if !m.add(reset(time.Duration(i))) {
				t.Errorf("%s: end %d does not count", what, i)
			}
		}
		last := reset(10)
		c.edit(last)
		m.add(last)
		w := slices.MaxFunc(m.worst[:], func(a, b moment) int { return int(a.n) - int(b.n) })
		if w.n != c.want || w.first != at || c.want == 11 && w.last != last.time {
			t.Errorf("%s: %d ends from %d to %d, want %d", what, w.n, w.first, w.last, c.want)
		}
		if len(w.ids) != maxEvidence || w.process != "nginx" || w.port != 80 || w.peer != netip.MustParseAddr("10.0.1.9") {
			t.Errorf("%s: got %+v", what, w)
		}
	}
	var m moments
	for i := range 10 {
		e := reset(time.Duration(i))
		e.process, e.weak = fmt.Sprint(i%2), i == 3
		e.local = netip.AddrPortFrom(e.local.Addr(), uint16(80+i%2))
		e.peer = netip.MustParseAddrPort(fmt.Sprintf("10.0.1.%d:50000", i%2))
		m.add(e)
	}
	if w := m.worst[0]; w.n != 10 || w.process != "" || w.port != 0 || w.peer.IsValid() || w.weak != 1 {
		t.Errorf("of several processes, ports and peers: got %+v", w)
	}
}

// TestWorstMoments: the largest are kept.
func TestWorstMoments(t *testing.T) {
	var m moments
	for i := range maxMoments + 3 {
		m.keep(&moment{first: model.Time(i + 1), n: uint64(20 - i)})
	}
	m.keep(&moment{first: 1, n: 30})                               // one that has grown
	m.keep(&moment{first: 1, n: 25, cause: model.CauseUnreadData}) // others at the same time
	m.keep(&moment{first: 1, n: 24, network: netip.MustParsePrefix("10.0.0.0/24")})
	var got []uint64
	for i := range m.worst {
		got = append(got, m.worst[i].n)
	}
	slices.Sort(got)
	if want := []uint64{15, 16, 17, 18, 19, 24, 25, 30}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNetworkOf(t *testing.T) {
	for address, want := range map[string]string{"10.1.2.3": "10.1.2.0/24", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64"} {
		if got := networkOf(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%s: got %v, want %s", address, got, want)
		}
	}
	if got := networkOf(netip.Addr{}); got.IsValid() {
		t.Errorf("of no address: %v", got)
	}
}

// TestRefusedMeanwhile: an attempt of the process that failed within the last second, while the
// connection was open.
func TestRefusedMeanwhile(t *testing.T) {
	const at = model.Time(1e18)
	for what, c := range map[string]struct {
		pid         int
		began, time model.Time
		want        bool
	}{
		"half a second before its end": {7, at.Add(-time.Minute), at.Add(500 * time.Millisecond), true},
		"just before its end":          {7, at.Add(-time.Minute), at, true},
		"after its end":                {7, at.Add(-time.Minute), at - 1, false},
		"as it began":                  {7, at, at.Add(500 * time.Millisecond), true},
		"before it began":              {7, at + 1, at.Add(500 * time.Millisecond), false},
		"a second before its end":      {7, at.Add(-time.Minute), at.Add(time.Second), false},
		"another process":              {8, at.Add(-time.Minute), at.Add(500 * time.Millisecond), false},
	} {
		var r refusals
		r.add(&end{pid: 7, time: at, id: "refused"})
		if got := r.during(&end{pid: c.pid, began: c.began, time: c.time}, time.Second); (got != nil) != c.want {
			t.Errorf("%s: got %+v", what, got)
		}
	}
	var r refusals
	r.add(&end{time: at})
	if r.during(&end{time: at}, time.Second) != nil {
		t.Error("processes that are not known are one")
	}
}

// TestRefusedForClient: the attempt began soon after the client's connection did, or after its
// last words; at once if attempts come at regular times.
func TestRefusedForClient(t *testing.T) {
	const at, second = model.Time(1e18), time.Second
	client := func() *end {
		return &end{pid: 7, began: at.Add(-time.Minute), lastReceived: at, time: at.Add(second / 2)}
	}
	for what, c := range map[string]struct {
		after   time.Duration // from the client's last words to the begin of the attempt
		regular bool
		edit    func(*end)
		want    bool
	}{
		"at once":                      {0, false, func(*end) {}, true},
		"a second later":               {second, false, func(e *end) { e.time = at.Add(second + 1) }, true},
		"more than that":               {second + 1, false, func(e *end) { e.time = at.Add(second + 2) }, false},
		"a jiffy before":               {-justNow + 1, false, func(e *end) { e.time = at.Add(second / 2) }, true},
		"more than a jiffy before":     {-justNow, false, func(e *end) { e.time = at.Add(second / 2) }, false},
		"it said nothing":              {0, false, func(e *end) { e.lastReceived = 0 }, false},
		"as it was accepted":           {0, false, func(e *end) { e.lastReceived, e.began = 0, at }, true},
		"regular, at once":             {justNow, true, func(*end) {}, true},
		"regular, and some time later": {justNow + 1, true, func(*end) {}, false},
		"not while it was open":        {0, false, func(e *end) { e.time = at.Add(time.Minute) }, false},
		"by another process":           {0, false, func(e *end) { e.pid = 8 }, false},
	} {
		var r refusals
		backend := netip.MustParseAddrPort("10.0.0.9:80")
		if c.regular {
			for i := range 5 {
				r.add(&end{pid: 7, time: at.Add(c.after - time.Duration(5-i)*10*second), peer: backend})
			}
		}
		r.add(&end{pid: 7, time: at.Add(c.after), peer: backend})
		x := client()
		c.edit(x)
		if got := r.forClient(x); (got != nil) != c.want {
			t.Errorf("%s: got %+v", what, got)
		}
	}
}

// TestCounted: the sum of counters, from the earliest begin on.
func TestCounted(t *testing.T) {
	const at = model.Time(1e18)
	e := New()
	add := func(netns uint32, after, interval time.Duration, counts map[string]uint64) {
		c := model.Counters{Time: at.Add(after), Interval: interval, Counts: counts}
		c.Network.NetNS = netns
		e.count(&c)
	}
	add(1, 10*time.Second, 2*time.Second, map[string]uint64{"a": 3})
	add(2, 20*time.Second, 15*time.Second, map[string]uint64{"a": 4, "b": 5})
	add(3, 5*time.Second, -time.Second, map[string]uint64{"c": 1})
	for _, c := range []struct {
		names []string
		want  counter
	}{
		{[]string{"a"}, counter{n: 7, netns: anywhere, first: at.Add(5 * time.Second), last: at.Add(20 * time.Second), told: at.Add(10 * time.Second)}},
		{[]string{"a", "b"}, counter{n: 12, netns: anywhere, first: at.Add(5 * time.Second), last: at.Add(20 * time.Second), told: at.Add(10 * time.Second)}},
		{[]string{"b", "a"}, counter{n: 12, netns: anywhere, first: at.Add(5 * time.Second), last: at.Add(20 * time.Second), told: at.Add(10 * time.Second)}},
		{[]string{"b", "c"}, counter{n: 6, netns: anywhere, first: at.Add(5 * time.Second), last: at.Add(20 * time.Second), told: at.Add(5 * time.Second)}},
		{[]string{"c"}, counter{n: 1, netns: 3, first: at.Add(5 * time.Second), last: at.Add(5 * time.Second), told: at.Add(5 * time.Second)}},
		{[]string{"none"}, counter{}},
	} {
		if got := e.counted(c.names...); got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.names, got, c.want)
		}
	}
	for i := range 2 * maxCounters {
		add(1, 0, 0, map[string]uint64{fmt.Sprint(i): 1})
	}
	if add(1, 0, 0, map[string]uint64{"a": 1}); len(e.counters) != maxCounters || e.counted("a").n != 8 {
		t.Errorf("%d counters, want %d and those that are there go on", len(e.counters), maxCounters)
	}
}

// TestKnow: what is remembered of the processes and servers of ends.
func TestKnow(t *testing.T) {
	local, peer := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:50000")
	e := New()
	for _, x := range []end{
		{process: "nginx", pid: 7, began: 5, role: model.Passive, local: local, peer: peer, netns: 1},
		{process: "nginx", pid: 7, began: 9, role: model.Passive, local: local, peer: peer, netns: 1, later: true},
		{process: "curl", role: model.Active, local: peer, peer: local, netns: 1},
		{process: "", role: model.Passive, local: local, peer: peer, netns: 2},
	} {
		e.know(&x)
	}
	if e.processes["nginx"] != 1 || e.processes["curl"] != 1 || len(e.services) != 1 || e.services[service{1, 80}].process != "nginx" {
		t.Errorf("got %v, %v", e.processes, e.services)
	}
	for what, c := range map[string]struct {
		end              end
		refused, trouble bool
	}{
		"refused":                          {end{verdict: model.FailedOpen, cause: model.CauseRefused}, true, false},
		"cancelled at once":                {end{verdict: model.FailedOpen, cause: model.CauseConnectCancelled, duration: 200*time.Millisecond - 1}, false, false},
		"cancelled after a while":          {end{verdict: model.FailedOpen, cause: model.CauseConnectCancelled, duration: 200 * time.Millisecond}, true, false},
		"cancelled after a SYN was resent": {end{verdict: model.FailedOpen, cause: model.CauseConnectCancelled, retransmits: 1}, true, false},
		"reset as a client":                {end{verdict: model.Abortive, cause: model.CausePeerReset, role: model.Active, sent: 1}, false, true},
		"reset, and had said nothing":      {end{verdict: model.Abortive, cause: model.CausePeerReset, role: model.Active}, false, false},
		"reset as a server":                {end{verdict: model.Abortive, cause: model.CausePeerReset, role: model.Passive}, false, false},
		"timed out as a client":            {end{verdict: model.Abortive, cause: model.CauseRetransmitTimeout, role: model.Active, unacked: 1}, false, true},
		"timed out as a server":            {end{verdict: model.Abortive, cause: model.CauseRetransmitTimeout, role: model.Passive}, false, false},
		"well":                             {end{verdict: model.Graceful, cause: model.CauseFIN, role: model.Active}, false, false},
	} {
		e := New()
		e.know(&c.end)
		if refused, trouble := e.refusals.at == 1, e.troubles.at == 1; refused != c.refused || trouble != c.trouble {
			t.Errorf("%s: an attempt %v, trouble %v", what, refused, trouble)
		}
	}
}

// TestTenures: a server's last eight processes are known, by when their connections began.
func TestTenures(t *testing.T) {
	four, six := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("[2001:db8::1]:80")
	var s server
	for _, began := range []model.Time{20, 10, 30} {
		s.add(&end{pid: 1, began: began, local: four})
	}
	s.add(&end{pid: 0, began: 99, local: four})
	s.add(&end{pid: 9, local: four})
	if want := (tenure{1, 10, 30}); s.pids[0] != want && !slices.Contains(s.pids[:], want) || s.six {
		t.Errorf("got %+v", s)
	}
	for pid := 2; pid <= 9; pid++ {
		s.add(&end{pid: pid, began: model.Time(30 + pid), local: netip.AddrPortFrom(netip.AddrFrom16(four.Addr().As16()), 80)})
	}
	if slices.ContainsFunc(s.pids[:], func(t tenure) bool { return t.pid == 1 || t.pid == 0 }) || s.six {
		t.Errorf("got %+v, want that the one whose connections began first makes room", s)
	}
	if s.add(&end{pid: 2, began: 50, local: six}); !s.six {
		t.Error("IPv6 was not noticed")
	}
	e := New()
	g := &group{key: key{process: "nginx", port: 80}, pids: []int{1}, count: 9}
	for what, c := range map[string]struct {
		s    server
		port uint16
		want bool
	}{
		"another one began to accept": {server{process: "nginx", pids: [8]tenure{{1, 10, 100}, {2, 101, 101}}}, 80, true},
		"both at one time":            {server{process: "nginx", pids: [8]tenure{{1, 10, 100}, {2, 100, 100}}}, 80, false},
		"the old one goes on":         {server{process: "nginx", pids: [8]tenure{{1, 10, 101}, {2, 101, 101}}}, 80, false},
		"nobody else":                 {server{process: "nginx", pids: [8]tenure{{1, 10, 100}}}, 80, false},
		"another program":             {server{process: "apache2", pids: [8]tenure{{1, 10, 100}, {2, 101, 101}}}, 80, false},
		"another port":                {server{process: "nginx", pids: [8]tenure{{1, 10, 100}, {2, 101, 101}}}, 81, false},
	} {
		e.services = map[service]*server{{1, c.port}: &c.s}
		if got := e.replaced(g, 100); got != c.want {
			t.Errorf("%s: got %v", what, got)
		}
		one := &group{key: g.key, pids: g.pids, count: 1}
		if e.replaced(one, 100) {
			t.Errorf("%s: a process of one connection was replaced", what)
		}
	}
}
