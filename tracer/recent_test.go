//go:build linux

package tracer

import (
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestRecent: the last recentMax ends are remembered, by the whole tuple, once, and for
// as long as the kernel keeps a TIME_WAIT.
func TestRecent(t *testing.T) {
	endOf := func(i int, at ktime) *bpf.TraceEnd {
		return &bpf.TraceEnd{Family: unix.AF_INET6, LocalPort: uint16(i), Netns: uint32(i >> 16), Ended: uint64(at)}
	}
	const added = recentMax + 1000
	w := newRecent()
	add := func(e *bpf.TraceEnd, id uint64) { w.add(e, id).timeWait = true }
	for i := range added {
		add(endOf(i, 1), uint64(i+1))
	}
	take := func(i int, at ktime) uint64 {
		if e := w.inTimeWait(endTuple(endOf(i, 0)), at); e != nil {
			return e.id
		}
		return 0
	}
	for i := range added {
		want := uint64(i + 1)
		if i < added-recentMax {
			want = 0
		}
		if id := take(i, 2); id != want {
			t.Fatalf("take(%d) is %d; want %d", i, id, want)
		}
		if id := take(i, 2); id != 0 {
			t.Fatalf("take(%d) worked twice", i)
		}
	}
	add(endOf(1, 1), 7)
	add(endOf(1, 1), 8)
	if id := take(1, 2); id != 8 {
		t.Errorf("of two connections with one tuple: %d; want the later one, 8", id)
	}
	add(endOf(2, 1), 9)
	if id := take(2, ktime(1).add(timeWaitFor+time.Second)); id != 0 {
		t.Error("a TIME_WAIT that is over was found")
	}
}

// TestChainOfRecentEnds: a chain ends where the ring has been written over. Here the
// place of the tuple's first end has its second, which points to the first.
func TestChainOfRecentEnds(t *testing.T) {
	w := newRecent()
	e := bpf.TraceEnd{LocalPort: 1, Ended: 1}
	w.add(&e, 1)
	for i := range recentMax - 1 {
		w.add(&bpf.TraceEnd{LocalPort: 2, Netns: uint32(i), Ended: 1}, 2)
	}
	e.Ended = uint64(time.Minute)
	w.add(&e, 3)
	found := make(chan *ended, 1)
	go func() { found <- w.find(endTuple(&e), ktime(time.Second)) }()
	select {
	case got := <-found:
		if got != nil {
			t.Errorf("found %+v, want nothing: the first is forgotten, the second had not ended", got.end)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the chain has no end")
	}
}

// TestChainsAreMadeLate: however many ends come before one is looked up, the latest with a
// tuple is found, and none that is forgotten.
func TestChainsAreMadeLate(t *testing.T) {
	w := newRecent()
	latest := map[uint16]uint64{}
	added := uint64(0)
	for round, ends := range []int{0, 1, 5, 300, recentMax, 7, recentMax + 900, 1, 2*recentMax + 3, recentMax - 1, 20_000, 20_000} {
		for i := range ends {
			port := uint16(i*i+round) % 1000
			added++
			latest[port] = added
			w.add(&bpf.TraceEnd{LocalPort: port, Sock: added, Ended: 1}, added)
		}
		for port := range uint16(1000) {
			want := latest[port]
			if want+recentMax <= added {
				want = 0
			}
			var got uint64
			if e := w.find(endTuple(&bpf.TraceEnd{LocalPort: port}), 2); e != nil {
				got = e.id
			}
			if got != want {
				t.Fatalf("round %d, port %d: found %d, want %d", round, port, got, want)
			}
		}
	}
}

// TestResetFromTimeWaitStandsAlone: the outcome has the owner, the tuple and the bytes of
// its teardown, whatever addresses the socket had, and is the only other event.
func TestResetFromTimeWaitStandsAlone(t *testing.T) {
	second := uint64(time.Second)
	e := bpf.TraceEnd{
		Family: unix.AF_INET, Local: [16]byte{10, 6, 0, 2}, Peer: [16]byte{10, 6, 0, 1}, LocalPort: 8000, PeerPort: 40000, Netns: 7,
		Started: second, Ended: 4 * second, Path: 0x145, // ESTABLISHED, FIN_WAIT1, FIN_WAIT2
		Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_PASSIVE | bpf.TraceFlagFLAG_FIN_ACKED, BytesAcked: 301, BytesReceived: 90,
		Owner: bpf.TraceOwner{Start: second / 2, Tgid: 812, Uid: 33, Comm: [16]byte{'g', 'u', 'n', 'i', 'c', 'o', 'r', 'n'}}, Source: uint8(model.OwnerAccept),
	}
	later := bpf.TraceLater{ // an IPv6 socket has the same connection with mapped addresses
		Time: 5 * second, Family: unix.AF_INET6, Local: mapped(&e.Local), Peer: mapped(&e.Peer), LocalPort: 8000, PeerPort: 40000, Netns: 7, Reason: 3,
	}
	a := newAssembler(translator{hertz: 1000, reasons: map[uint8]string{3: "TIMEWAIT_SOCKET"}}, "s")
	var events []model.Event
	out := func(e *model.Event) bool { events = append(events, *e); return true }
	a.message(&message{kind: bpf.TraceMessageMESSAGE_END, end: e}, out)
	another := later
	another.Netns, another.Time = 8, later.Time-1 // the same addresses in another namespace are another connection
	a.message(&message{kind: bpf.TraceMessageMESSAGE_RESET_TW, later: another}, out)
	a.message(&message{kind: bpf.TraceMessageMESSAGE_RESET_TW, later: later}, out)
	a.flush(0, out)
	if len(events) != 2 || events[0].Kind != model.KindTeardown || events[1].Kind != model.KindOutcome {
		t.Fatalf("got %+v; want a teardown and its outcome", events)
	}
	teardown, outcome := events[0].Teardown.Facts, events[1].Teardown.Facts
	want := teardown
	want.Time, want.Duration = model.Time(5*second), model.Some(4*time.Second)
	want.TCP.RST.Sent, want.TCP.RST.Reason = model.Some(true), "TIMEWAIT_SOCKET"
	want.Evidence.RSTReplyTimeWait, want.Evidence.Later = true, true
	if !reflect.DeepEqual(outcome, want) {
		t.Errorf("outcome:\n got %+v\nwant %+v", outcome, want)
	}
	if p := outcome.Process; p.Name != "gunicorn" || p.PID != 812 {
		t.Errorf("owner: got %+v, want gunicorn, 812", p)
	}
	if j := model.Classify(&outcome); j.Verdict != model.Abortive || j.Cause != model.CauseDataAfterClose || j.Confidence != model.Certain || j.Initiator != model.InitiatorLocal {
		t.Errorf("judged as %+v", j)
	}
	if j := model.Classify(&teardown); j.Verdict != model.Graceful {
		t.Errorf("teardown judged as %+v", j)
	}
}

// TestManyEnds: the number of an end has 32 bits, and what is held when they run over is not given
// away.
func TestManyEnds(t *testing.T) {
	w := newRecent()
	w.count = 1<<32 - 3
	var held []*ended
	for i := range 6 {
		e := w.add(&bpf.TraceEnd{Sock: uint64(i + 1)}, uint64(i+1))
		e.held = true
		held = append(held, e)
	}
	for _, e := range held {
		w.release(e)
	}
	if len(w.free) != 0 {
		t.Errorf("%d entries of the ring are free for others", len(w.free))
	}
}
