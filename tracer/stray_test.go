//go:build linux

package tracer

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// strayMessage is a RST for a segment with these flags, from a port.
func strayMessage(peer uint16, at ktime, flags uint8) *message {
	return &message{kind: bpf.TraceMessageMESSAGE_STRAY, later: bpf.TraceLater{
		Family: unix.AF_INET, Local: [16]byte{10, 0, 0, 1}, Peer: [16]byte{10, 0, 0, 2},
		LocalPort: 80, PeerPort: peer, Netns: 4, Time: uint64(at), Segment: flags, Reason: 1,
	}}
}

// replay gives the assembler messages and all the time that it waits for.
func replay(a *assembler, messages ...*message) []model.Event {
	var events []model.Event
	out := func(e *model.Event) bool { events = append(events, *e); return true }
	for _, m := range messages {
		a.message(m, out)
	}
	a.flush(0, out)
	return events
}

// TestStrays: resets for one connection are one record, which says what is known of
// the connection.
func TestStrays(t *testing.T) {
	second := ktime(time.Second)
	e := bpf.TraceEnd{
		Family: unix.AF_INET, Local: [16]byte{10, 0, 0, 1}, Peer: [16]byte{10, 0, 0, 2}, LocalPort: 80, PeerPort: 1000,
		Netns: 4, Ended: uint64(50 * second), Path: 0x17, Flags: bpf.TraceFlagFLAG_ENDED,
		Owner:  bpf.TraceOwner{Tgid: 812, Start: 1, Comm: [16]uint8{'n', 'g', 'i', 'n', 'x'}},
		Closer: bpf.TraceCloser{Tgid: 812, Tid: 812}, Source: uint8(model.OwnerAccept), Call: uint8(model.CallExit), Signal: 9,
	}
	end := &message{kind: bpf.TraceMessageMESSAGE_END, end: e}
	listening := strayMessage(1002, 62*second, tcpACK)
	listening.later.Listening = 1
	again := strayMessage(1000, 64*second, tcpSYN) // a new attempt, from the same port
	a := newAssembler(translator{reasons: map[uint8]string{1: "NO_SOCKET"}}, "s")
	a.began = 32 * second
	var events []model.Event
	out := func(e *model.Event) bool { events = append(events, *e); return true }
	for _, m := range []*message{
		end, strayMessage(1000, 62*second, tcpACK), strayMessage(1000, 62*second+5, tcpACK),
		strayMessage(1001, 62*second, tcpSYN), listening,
	} {
		a.message(m, out)
	}
	a.advance(63*second+ktime(2*hold), 0, out)
	events = append(events, replay(a, again)...)
	if len(events) != 5 {
		t.Fatalf("%d events, want the end and 4 records: %+v", len(events), events)
	}
	ended, nobody, unknown, later := events[1], events[2], events[3], events[4]
	for _, c := range []struct {
		name  string
		got   model.Event
		port  uint16
		stray model.Stray
	}{
		{"ended", ended, 1000, model.Stray{Count: 2, First: model.Time(62 * second), Why: model.StrayEnded, Ended: model.Time(50 * second)}},
		{"nobody listens", nobody, 1001, model.Stray{Count: 1, First: model.Time(62 * second), Why: model.StrayNoListener}},
		{"unknown", unknown, 1002, model.Stray{Count: 1, First: model.Time(62 * second), Why: model.StrayNotOurs, LookedBack: model.Some(30 * time.Second)}},
		{"nobody listens any more", later, 1000, model.Stray{Count: 1, First: model.Time(64 * second), Why: model.StrayNoListener}},
	} {
		f := &c.got.Teardown.Facts
		if c.got.Kind != model.KindStray || c.got.Stray != c.stray || f.Network.Peer.Port != c.port || f.Network.NetNS != 4 ||
			f.TCP.RST.Reason != "NO_SOCKET" || !f.TCP.RST.Sent.Is(true) {
			t.Errorf("%s: got %v %+v of %+v; want %+v", c.name, c.got.Kind, c.got.Stray, f.Network, c.stray)
		}
	}
	if f := ended.Teardown.Facts; f.ID != events[0].Teardown.ID || f.Process != events[0].Teardown.Process || f.Closer.Signal != 9 || f.Time != model.Time(62*second+5) {
		t.Errorf("whose it was: %+v", f)
	}
	if later.Teardown.ID != "" || later.Teardown.Process.PID != 0 {
		t.Errorf("an attempt at a closed port is of %+v", later.Teardown.Process)
	}
}

// TestStraysFollowing: a trace that follows a process reports its connections only.
func TestStraysFollowing(t *testing.T) {
	a := newAssembler(translator{}, "s")
	a.following = true
	if got := replay(a, strayMessage(1, 1, tcpACK)); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	a.strays.beyond(5, 1)
	if got := replay(a); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

// TestStraysAreBounded: in a flood from ever new ports a bounded number is kept, and
// every reset is counted once.
func TestStraysAreBounded(t *testing.T) {
	a := newAssembler(translator{}, "s")
	var records, total, most uint64
	out := func(e *model.Event) bool {
		records++
		total += e.Stray.Count
		return true
	}
	const seconds, each = 20, 5000
	for s := range seconds {
		at := ktime(s+1) * ktime(time.Second)
		for i := range each {
			m := strayMessage(uint16(s*each+i), at.add(time.Duration(i)*time.Microsecond), tcpACK)
			m.later.Netns = uint32(s)
			a.message(m, out)
			most = max(most, uint64(len(a.strays.byTuple)), uint64(len(a.strays.order)))
		}
		a.strays.beyond(3, at) // what the kernel only counted
		a.advance(at.add(900*time.Millisecond), 0, out)
	}
	a.flush(0, out)
	if most > strayMax || len(a.strays.byTuple) != 0 {
		t.Errorf("%d connections were kept, want at most %d, and none at the end: %d", most, strayMax, len(a.strays.byTuple))
	}
	if limit := uint64(seconds * (strayMax + 1)); records > limit {
		t.Errorf("%d records in %d s, want at most %d", records, seconds, limit)
	}
	if want := uint64(seconds * (each + 3)); total != want {
		t.Errorf("%d resets were told, want %d", total, want)
	}
}

// TestHit: the end that the resets ended is that of the reversed tuple which received one, in
// time, and at loopback in the same network namespace.
func TestHit(t *testing.T) {
	const at = ktime(60e9)
	for what, c := range map[string]struct {
		stray *message
		edit  func(*bpf.TraceEnd)
		want  bool
	}{
		"it fits":                {strayMessage(1000, at, tcpACK), func(*bpf.TraceEnd) {}, true},
		"it received none":       {strayMessage(1000, at, tcpACK), func(e *bpf.TraceEnd) { e.Flags &^= bpf.TraceFlagFLAG_RST_RECEIVED }, false},
		"another tuple":          {strayMessage(1001, at, tcpACK), func(*bpf.TraceEnd) {}, false},
		"just after the reset":   {strayMessage(1000, at, tcpACK), func(e *bpf.TraceEnd) { e.Ended = uint64(at.add(hold)) }, true},
		"long after it":          {strayMessage(1000, at, tcpACK), func(e *bpf.TraceEnd) { e.Ended = uint64(at.add(hold)) + 1 }, false},
		"just before it":         {strayMessage(1000, at, tcpACK), func(e *bpf.TraceEnd) { e.Ended = uint64(at.add(-hold)) }, true},
		"long before it":         {strayMessage(1000, at, tcpACK), func(e *bpf.TraceEnd) { e.Ended = uint64(at.add(-hold)) - 1 }, false},
		"in another namespace":   {strayMessage(1000, at, tcpACK), func(e *bpf.TraceEnd) { e.Netns = 5 }, true},
		"in one of anybody's":    {strayMessage(1000, at, tcpACK), func(e *bpf.TraceEnd) { e.Netns, e.Flags = 5, e.Flags|bpf.TraceFlagFLAG_NESTED }, true},
		"sent by anybody":        {nestedStray(at), func(e *bpf.TraceEnd) { e.Netns = 5 }, false},
		"at another's loopback":  {loopbackStray(at), func(e *bpf.TraceEnd) { e.Local, e.Peer, e.Netns = [16]byte{127, 0, 0, 1}, [16]byte{127, 0, 0, 1}, 5 }, false},
		"at the same's loopback": {loopbackStray(at), func(e *bpf.TraceEnd) { e.Local, e.Peer = [16]byte{127, 0, 0, 1}, [16]byte{127, 0, 0, 1} }, true},
	} {
		e := bpf.TraceEnd{
			Sock: 1, Family: unix.AF_INET, Local: [16]byte{10, 0, 0, 2}, Peer: [16]byte{10, 0, 0, 1}, LocalPort: 1000, PeerPort: 80, Netns: 4,
			Ended: uint64(at), Path: states(model.Established, model.Closed), Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_RST_RECEIVED,
		}
		c.edit(&e)
		a := newAssembler(translator{}, "s")
		a.hold(&e)
		for i := range 2 * hitMax { // others that end well meanwhile, and reports that come late
			other := bpf.TraceEnd{Sock: uint64(i) + 2, Family: unix.AF_INET, Netns: 9, Ended: uint64(at), Flags: bpf.TraceFlagFLAG_ENDED}
			if i < hitLate-1 {
				other.Ended, other.Flags = 1, other.Flags|bpf.TraceFlagFLAG_RST_RECEIVED
			}
			a.hold(&other)
		}
		l := &c.stray.later
		r := &strayResets{tuple: tupleOf(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns), first: *l, last: at}
		if got := a.hit(r); (got != "") != c.want {
			t.Errorf("%s: got %q", what, got)
		}
	}
}

// TestHitOfSeveral: an end in a network namespace that anybody can make was hit only if no other fits.
func TestHitOfSeveral(t *testing.T) {
	const at = ktime(60e9)
	for what, c := range map[string]struct {
		netns []uint32 // 5 and 6 are such
		want  uint64   // the socket
	}{
		"a better one, before": {[]uint32{4, 5}, 1},
		"a better one, after":  {[]uint32{5, 4}, 2},
		"two of anybody's":     {[]uint32{5, 6}, 0},
		"one of anybody's":     {[]uint32{6}, 1},
	} {
		a := newAssembler(translator{}, "s")
		for i, netns := range c.netns {
			e := bpf.TraceEnd{
				Sock: uint64(i) + 1, Family: unix.AF_INET, Local: [16]byte{10, 0, 0, 2}, Peer: [16]byte{10, 0, 0, 1}, LocalPort: 1000, PeerPort: 80, Netns: netns,
				Ended: uint64(at), Path: states(model.Established, model.Closed), Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_RST_RECEIVED,
			}
			if netns > 4 {
				e.Flags |= bpf.TraceFlagFLAG_NESTED
			}
			a.hold(&e)
		}
		l := &strayMessage(1000, at, tcpACK).later
		l.Netns = 7
		r := &strayResets{tuple: tupleOf(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns), first: *l, last: at}
		want := ""
		if c.want != 0 {
			want = a.ids.of(c.want)
		}
		if got := a.hit(r); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
}

// TestCloserOfUnaccepted: a timer that ends a connection in a listener's queue runs on top of any
// thread; inet_csk_listen_stop() resets it after CLOSE, also if an error waits.
func TestCloserOfUnaccepted(t *testing.T) {
	for what, c := range map[string]struct {
		error uint8
		flags bpf.TraceFlag
		want  int
	}{
		"the listener was closed":                     {0, bpf.TraceFlagFLAG_RST_SENT_AFTER, 7},
		"the listener was closed, and an error waits": {uint8(unix.EHOSTUNREACH), bpf.TraceFlagFLAG_RST_SENT_AFTER, 7},
		"keepalive timed out":                         {uint8(unix.ETIMEDOUT), 0, 0},
		"keepalive timed out, and a reset was tried":  {uint8(unix.ETIMEDOUT), bpf.TraceFlagFLAG_RST_SENT_BEFORE, 0},
	} {
		e := bpf.TraceEnd{Flags: bpf.TraceFlagFLAG_ENDED | c.flags, Holder: uint8(model.HolderNone), Call: uint8(model.CallClose)}
		e.Error, e.Closer.Tgid = c.error, 7
		var got model.Closer
		(&translator{}).closer(&got, &e)
		if got.PID != c.want {
			t.Errorf("%s: closer %d, want %d", what, got.PID, c.want)
		}
	}
}

func nestedStray(at ktime) *message {
	m := strayMessage(1000, at, tcpACK)
	m.later.Nested = 1
	return m
}

func loopbackStray(at ktime) *message {
	m := strayMessage(1000, at, tcpACK)
	m.later.Local, m.later.Peer = [16]byte{127, 0, 0, 1}, [16]byte{127, 0, 0, 1}
	return m
}
