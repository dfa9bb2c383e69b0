//go:build linux

package tracer

import (
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// states packs a path as the kernel does, oldest highest.
func states(list ...model.State) (packed uint64) {
	for _, s := range list {
		packed = packed<<4 | uint64(s)
	}
	return packed
}

func comm(name string) (c [16]uint8) {
	copy(c[:], name)
	return c
}

// translated returns the facts of an end that a change is made to.
func translated(change func(*bpf.TraceEnd)) model.Facts {
	e := bpf.TraceEnd{
		Family: unix.AF_INET, Local: [16]byte{10, 0, 0, 1}, Peer: [16]byte{10, 0, 0, 2}, LocalPort: 80, PeerPort: 1000, Netns: 4,
		Started: 1e9, Ended: 5e9, CloseBegan: 4e9, Path: states(model.Established, model.FinWait1, model.FinWait2, model.Closed),
		Flags: bpf.TraceFlagFLAG_ENDED, BytesAcked: 100, BytesReceived: 50,
	}
	change(&e)
	tr := translator{hertz: 250, reasons: map[uint8]string{1: "NO_SOCKET"}, clock: clock{realtime: 1000, boottime: 7000}}
	var f model.Facts
	tr.facts(&f, &e)
	return f
}

// TestFlagsBecomeFacts: each bit of the kernel's message sets its own fact, and a bit
// that is not set sets none.
func TestFlagsBecomeFacts(t *testing.T) {
	for name, c := range map[string]struct {
		flag bpf.TraceFlag
		fact func(*model.Facts) bool
	}{
		"a RST received":                       {bpf.TraceFlagFLAG_RST_RECEIVED, func(f *model.Facts) bool { return f.Evidence.RSTReceivedBefore }},
		"a RST received, among TCP's":          {bpf.TraceFlagFLAG_RST_RECEIVED, func(f *model.Facts) bool { return f.TCP.RST.Received.Is(true) }},
		"a RST sent while open":                {bpf.TraceFlagFLAG_RST_SENT_BEFORE, func(f *model.Facts) bool { return f.Evidence.RSTSentBefore }},
		"a RST that could not be allocated":    {bpf.TraceFlagFLAG_RST_TRIED, func(f *model.Facts) bool { return f.Evidence.RSTSentBefore }},
		"a RST sent after the end":             {bpf.TraceFlagFLAG_RST_SENT_AFTER, func(f *model.Facts) bool { return f.Evidence.RSTSentAfter }},
		"a RST in answer after the end":        {bpf.TraceFlagFLAG_RST_REPLY_AFTER, func(f *model.Facts) bool { return f.Evidence.RSTReplyAfter }},
		"a RST of this host's own":             {bpf.TraceFlagFLAG_RST_HERE, func(f *model.Facts) bool { return f.Evidence.RSTHere }},
		"repair mode":                          {bpf.TraceFlagFLAG_REPAIR, func(f *model.Facts) bool { return f.Evidence.Repair }},
		"a subflow":                            {bpf.TraceFlagFLAG_MPTCP, func(f *model.Facts) bool { return f.Evidence.MPTCP }},
		"an end that was not followed":         {bpf.TraceFlagFLAG_UNTRACKED, func(f *model.Facts) bool { return f.Evidence.Gap }},
		"an open window":                       {bpf.TraceFlagFLAG_WINDOW_OPEN, func(f *model.Facts) bool { return f.Evidence.WindowOpen }},
		"keepalive":                            {bpf.TraceFlagFLAG_KEEPALIVE, func(f *model.Facts) bool { return f.Evidence.Keepalive.Is(true) }},
		"an acknowledged FIN":                  {bpf.TraceFlagFLAG_FIN_ACKED, func(f *model.Facts) bool { return f.Evidence.FINAcked.Is(true) }},
		"a lock":                               {bpf.TraceFlagFLAG_OWNED, func(f *model.Facts) bool { return f.Evidence.Owned.Is(true) }},
		"an orphan":                            {bpf.TraceFlagFLAG_DEAD, func(f *model.Facts) bool { return f.Evidence.Dead.Is(true) }},
		"an orphan's unread data":              {bpf.TraceFlagFLAG_DEAD, func(f *model.Facts) bool { return f.TCP.Bytes.Unread.Known() }},
		"unread data of a closed descriptor":   {flagDescriptorClosed, func(f *model.Facts) bool { return f.TCP.Bytes.Unread.Known() }},
		"a segment with RST":                   {bpf.TraceFlagFLAG_RST_FLAG_SEEN | bpf.TraceFlagFLAG_RST_FLAG_SET, func(f *model.Facts) bool { return f.Evidence.RSTFlag.Is(true) }},
		"a segment without RST":                {bpf.TraceFlagFLAG_RST_FLAG_SEEN, func(f *model.Facts) bool { return f.Evidence.RSTFlag.Is(false) }},
		"an older connection":                  {bpf.TraceFlagFLAG_PREEXISTING, func(f *model.Facts) bool { return f.TCP.Preexisting }},
		"an active opener":                     {bpf.TraceFlagFLAG_ACTIVE, func(f *model.Facts) bool { return f.TCP.Role == model.Active }},
		"a passive opener":                     {bpf.TraceFlagFLAG_PASSIVE, func(f *model.Facts) bool { return f.TCP.Role == model.Passive }},
		"what was sent by an opener":           {bpf.TraceFlagFLAG_PASSIVE, func(f *model.Facts) bool { return f.TCP.Bytes.Sent.Is(99) }},
		"what was sent, without SYN and FIN":   {bpf.TraceFlagFLAG_ACTIVE, func(f *model.Facts) bool { return f.TCP.Bytes.Sent.Is(98) }},
		"what was received, without the FIN":   {bpf.TraceFlagFLAG_DONE, func(f *model.Facts) bool { return f.TCP.Bytes.Received.Is(49) }},
		"the peer's FIN":                       {bpf.TraceFlagFLAG_DONE, func(f *model.Facts) bool { return f.TCP.FIN.Received.Is(true) }},
		"as many TIME_WAITs as may be":         {bpf.TraceFlagFLAG_TW_FULL, func(f *model.Facts) bool { return !f.TCP.TimeWait.Known() }},
		"no TIME_WAIT after a RST":             {bpf.TraceFlagFLAG_RST_SENT_AFTER, func(f *model.Facts) bool { return f.TCP.TimeWait.Is(false) }},
		"a RST that an untracked end may miss": {bpf.TraceFlagFLAG_UNTRACKED, func(f *model.Facts) bool { return !f.TCP.RST.Sent.Known() }},
	} {
		with := translated(func(e *bpf.TraceEnd) { e.Flags |= c.flag })
		without := translated(func(*bpf.TraceEnd) {})
		if !c.fact(&with) || c.fact(&without) {
			t.Errorf("%s: with the flag %v, without %v", name, c.fact(&with), c.fact(&without))
		}
	}
	// The state after a FIN in FIN_WAIT2 is its own, whatever is still queued.
	if f := translated(func(e *bpf.TraceEnd) { e.Flags |= bpf.TraceFlagFLAG_FIN_UNSENT }); !f.TCP.FIN.Sent.Is(true) {
		t.Error("in FIN_WAIT2 our FIN was sent and acknowledged")
	}
}

// TestStatesBecomeFacts: what the last state says about FIN, bytes and TIME_WAIT.
func TestStatesBecomeFacts(t *testing.T) {
	at := func(last model.State, flags bpf.TraceFlag) model.TCP {
		return translated(func(e *bpf.TraceEnd) {
			e.Path = states(model.Established, model.FinWait1, last, model.Closed)
			e.Path >>= 4 // the last state is the one that was left
			e.Flags |= flags
		}).TCP
	}
	const active, acked = bpf.TraceFlagFLAG_ACTIVE, bpf.TraceFlagFLAG_FIN_ACKED
	for name, c := range map[string]struct {
		tcp      model.TCP
		sent     uint64
		timeWait bool
	}{
		"FIN_WAIT2":                  {at(model.FinWait2, active), 98, true},
		"CLOSING":                    {at(model.Closing, active), 99, true},
		"CLOSING, FIN acknowledged":  {at(model.Closing, active|acked), 98, true},
		"LAST_ACK":                   {at(model.LastAck, active), 99, false},
		"LAST_ACK, FIN acknowledged": {at(model.LastAck, active|acked), 98, false},
		"ESTABLISHED":                {at(model.Established, active|acked), 99, false},
	} {
		if !c.tcp.Bytes.Sent.Is(c.sent) || !c.tcp.TimeWait.Is(c.timeWait) {
			t.Errorf("%s: sent %v, TIME_WAIT %v; want %d and %v", name, c.tcp.Bytes.Sent, c.tcp.TimeWait, c.sent, c.timeWait)
		}
	}
	failed := translated(func(e *bpf.TraceEnd) {
		e.Error, e.Path = uint8(unix.ETIMEDOUT), states(model.Established, model.FinWait1, model.FinWait2)
	})
	if !failed.TCP.TimeWait.Is(false) || failed.TCP.Error != "ETIMEDOUT" {
		t.Errorf("after an error: TIME_WAIT %v, error %q", failed.TCP.TimeWait, failed.TCP.Error)
	}
	if f := at(model.FinWait1, bpf.TraceFlagFLAG_FIN_UNSENT); !f.FIN.Sent.Is(false) {
		t.Error("a FIN that is still queued was not sent")
	}
	waiting := translated(func(e *bpf.TraceEnd) { e.Flags, e.Path = 0, states(model.Established, model.FinWait1) })
	if waiting.TCP.FIN.Sent.Known() {
		t.Error("while close() waits, whether the FIN has left is not known")
	}
}

// TestNumbersBecomeFacts: units, clocks and names.
func TestNumbersBecomeFacts(t *testing.T) {
	f := translated(func(e *bpf.TraceEnd) {
		e.SrttUs, e.Retransmits, e.UserTimeout, e.Linger2, e.SoftError = 8*1500+7, 3, 2500, 250*7, uint8(unix.EHOSTUNREACH)
		e.FirstFin, e.Linger, e.Lingertime, e.Shutdown, e.Skipped = 3e9, 1, 250*2+125, 2, 1
		e.Source, e.Owner = uint8(model.OwnerUse), bpf.TraceOwner{Tgid: 9, Start: 600, Uid: 33, Comm: comm("nginx")}
		e.Reason, e.TimerRetransmits, e.TimerProbes = 1, 4, 5
		e.Flags |= bpf.TraceFlagFLAG_RST_SENT_AFTER
	})
	v := &f.Evidence
	for what, ok := range map[string]bool{
		"smoothed round trip": f.TCP.SRTT.Is(1500 * time.Microsecond), "retransmits": f.TCP.Retransmits.Is(3),
		"user timeout": v.UserTimeout.Is(2500 * time.Millisecond), "linger2": v.Linger2.Is(7), "soft error": v.SoftError == "EHOSTUNREACH",
		"first FIN": v.FirstFIN == 3e9+1000, "close": v.CloseTime == 4e9+1000, "time": f.Time == 5e9+1000, "duration": f.Duration.Is(4 * time.Second),
		"start": f.StartTime == 1e9+1000, "linger, rounded": f.Linger.Seconds.Is(3), "shutdown": v.Shutdown.Is(2), "exiting": v.Wait.Exiting,
		"source": f.Process.Source == model.OwnerUse, "start of the process": f.Process.StartTime == 7600, "user": f.Process.User.ID.Is(33),
		"name": f.Process.Name == "nginx", "reason": f.TCP.RST.Reason == "NO_SOCKET", "timers": v.TimerRetransmits.Is(4) && v.TimerProbes.Is(5),
	} {
		if !ok {
			t.Errorf("%s: %+v", what, f)
		}
	}
	f = translated(func(e *bpf.TraceEnd) {
		e.Source, e.Owner = uint8(model.OwnerCloser), bpf.TraceOwner{Tgid: 9}
		e.Linger, e.Lingertime, e.Linger2, e.FirstFin = 1, math.MaxUint32, -1, 0
	})
	if f.Process.User.ID.Known() || f.Process.StartTime != 0 || !f.Linger.Seconds.Is(-1) || !f.Evidence.Linger2.Is(-1) || f.Evidence.FirstFIN != 0 || f.Evidence.Wait.Exiting {
		t.Errorf("what is not known: %+v", f)
	}
	mapped := netip.MustParseAddr("::ffff:10.0.0.9").As16()
	if got := address(unix.AF_INET6, &mapped); got != netip.MustParseAddr("10.0.0.9") {
		t.Errorf("a mapped address is %v", got)
	}
	loop := translated(func(e *bpf.TraceEnd) { e.Peer = e.Local })
	if !loop.TCP.Loopback || f.TCP.Loopback {
		t.Errorf("loopback: %v, and %v of another", loop.TCP.Loopback, f.TCP.Loopback)
	}
}

// TestUnreadIsLostWhenNobodyCanRead: the ways in which no process can read any more.
func TestUnreadIsLostWhenNobodyCanRead(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bpf.TraceEnd)
		want   bool
	}{
		"a descriptor is open": {func(e *bpf.TraceEnd) { e.Holder = uint8(model.HolderOpen) }, false},
		"disconnected":         {func(e *bpf.TraceEnd) { e.Holder, e.Call = uint8(model.HolderOpen), uint8(model.CallDisconnect) }, true},
		"being closed": {func(e *bpf.TraceEnd) {
			e.Holder, e.Shutdown, e.Flags = uint8(model.HolderClosing), 3, e.Flags|bpf.TraceFlagFLAG_OWNED
		}, true},
		"closed by the kernel": {func(e *bpf.TraceEnd) {
			e.Holder, e.Shutdown, e.Flags = uint8(model.HolderKernel), 3, e.Flags|bpf.TraceFlagFLAG_OWNED
		}, true},
		"shut down, and open": {func(e *bpf.TraceEnd) {
			e.Holder, e.Shutdown, e.Flags = uint8(model.HolderOpen), 3, e.Flags|bpf.TraceFlagFLAG_OWNED
		}, false},
		"never accepted": {func(e *bpf.TraceEnd) { e.Holder = uint8(model.HolderNone) }, true},
		"never accepted, in a system call": {func(e *bpf.TraceEnd) {
			e.Holder, e.Shutdown, e.Flags = uint8(model.HolderNone), 3, e.Flags|bpf.TraceFlagFLAG_OWNED
		}, false},
		"never accepted, reset": {func(e *bpf.TraceEnd) { e.Holder, e.Error = uint8(model.HolderNone), uint8(unix.ECONNRESET) }, false},
	} {
		f := translated(func(e *bpf.TraceEnd) { e.Unread = 5; c.change(e) })
		if got := f.TCP.Bytes.Unread.Known(); got != c.want {
			t.Errorf("%s: the unread bytes are lost: %v, want %v", name, got, c.want)
		}
	}
}

// TestLateMessagesAmend: what is sent after an end, within the hold, belongs to it; each
// kind adds its own fact, and what comes later is dropped.
func TestLateMessagesAmend(t *testing.T) {
	const at = uint64(10e9)
	end := bpf.TraceEnd{Sock: 7, Family: unix.AF_INET, Ended: at, Path: states(model.Established, model.Closed), Flags: bpf.TraceFlagFLAG_ENDED}
	told := func(change func(*bpf.TraceEnd), kind bpf.TraceMessage, l bpf.TraceLater) model.Facts {
		t.Helper()
		a := newAssembler(translator{reasons: map[uint8]string{0: "", 2: "TWO"}}, "s")
		e := end
		change(&e)
		l.Sock = 7
		if l.Time == 0 {
			l.Time = at + 1
		}
		events := replay(a, &message{kind: bpf.TraceMessageMESSAGE_END, end: e}, &message{kind: kind, later: l})
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		return events[0].Teardown.Facts
	}
	same := func(*bpf.TraceEnd) {}
	sent := told(same, bpf.TraceMessageMESSAGE_RESET_SENT, bpf.TraceLater{Reason: 2})
	if !sent.Evidence.RSTSentAfter || sent.Evidence.RSTReplyAfter || sent.TCP.RST.Reason != "TWO" {
		t.Errorf("a RST sent: %+v %+v", sent.Evidence, sent.TCP.RST)
	}
	reply := told(same, bpf.TraceMessageMESSAGE_RESET_REPLY, bpf.TraceLater{Reason: 2})
	if reply.Evidence.RSTSentAfter || !reply.Evidence.RSTReplyAfter || reply.TCP.RST.Reason != "TWO" {
		t.Errorf("a RST in answer: %+v %+v", reply.Evidence, reply.TCP.RST)
	}
	late := told(same, bpf.TraceMessageMESSAGE_RESET_SENT, bpf.TraceLater{Time: at + uint64(hold) + 1})
	if late.Evidence.RSTSentAfter {
		t.Error("a RST beyond the hold is added")
	}
	closer := bpf.TraceLater{Unread: 9, Closer: bpf.TraceCloser{Tgid: 5, Tid: 6, Comm: comm("worker")}}
	known := bpf.TraceOwner{Tgid: 4, Start: 8, Cgroup: 3, Comm: comm("server")}
	for name, c := range map[string]struct {
		change func(*bpf.TraceEnd)
		later  bpf.TraceLater
		pid    int
		source model.OwnerSource
		unread model.Opt[uint64]
	}{
		"nobody was known":       {same, closer, 5, model.OwnerCloser, model.Some(uint64(9))},
		"a listener was guessed": {func(e *bpf.TraceEnd) { e.Owner, e.Source = known, uint8(model.OwnerListener) }, closer, 5, model.OwnerCloser, model.Some(uint64(9))},
		"the acceptor is known":  {func(e *bpf.TraceEnd) { e.Owner, e.Source = known, uint8(model.OwnerAccept) }, closer, 4, model.OwnerAccept, model.Some(uint64(9))},
		"a kernel thread closed": {func(e *bpf.TraceEnd) { e.Owner, e.Source = known, uint8(model.OwnerListener) }, bpf.TraceLater{Unread: 9}, 4, model.OwnerListener, model.Some(uint64(9))},
		"emptied by disconnect":  {func(e *bpf.TraceEnd) { e.Unread, e.Call = 2, uint8(model.CallDisconnect) }, closer, 5, model.OwnerCloser, model.Some(uint64(2))},
	} {
		f := told(c.change, bpf.TraceMessageMESSAGE_CLOSED, c.later)
		if f.Process.PID != c.pid || f.Process.Source != c.source || f.TCP.Bytes.Unread != c.unread {
			t.Errorf("%s: got %+v, unread %v", name, f.Process, f.TCP.Bytes.Unread)
		}
		if changed := f.Process.PID == 5; changed && (f.Process.Name != "worker" || f.Process.StartTime != 0) {
			t.Errorf("%s: the closer has the start of another: %+v", name, f.Process)
		}
	}
	e := bpf.TraceEnd{Owner: known, Source: uint8(model.OwnerListener)}
	descriptorClosed(&e, &closer)
	if e.Owner.Start != 0 || e.Owner.Cgroup != 0 {
		t.Errorf("the closer has the control group of another: %+v", e.Owner)
	}
}

// TestForkIsSettled: the child that closed the descriptor is the owner for certain; if
// the acceptor did, it had kept the connection.
func TestForkIsSettled(t *testing.T) {
	forked := func() *bpf.TraceEnd {
		return &bpf.TraceEnd{
			Source: uint8(model.OwnerFork), Owner: bpf.TraceOwner{Tgid: 12, Start: 5, Comm: comm("sshd")}, Acceptor: 11, AcceptorComm: comm("sshd"),
		}
	}
	for name, c := range map[string]struct {
		closer uint32
		want   bpf.TraceEnd
	}{
		"the child":    {12, bpf.TraceEnd{Source: uint8(model.OwnerCloser), Owner: bpf.TraceOwner{Tgid: 12, Start: 5, Comm: comm("x")}, Acceptor: 11, AcceptorComm: comm("sshd")}},
		"the acceptor": {11, bpf.TraceEnd{Source: uint8(model.OwnerAccept), Owner: bpf.TraceOwner{Tgid: 11, Comm: comm("sshd")}}},
		"another":      {13, *forked()},
	} {
		e, want := forked(), c.want
		descriptorClosed(e, &bpf.TraceLater{Closer: bpf.TraceCloser{Tgid: c.closer, Comm: comm("x")}})
		want.Flags |= flagDescriptorClosed
		if !reflect.DeepEqual(*e, want) {
			t.Errorf("%s closed:\n got %+v\nwant %+v", name, *e, want)
		}
	}
}

// TestWaitIsLearnt: a later message of a waiting close() describes the whole wait.
func TestWaitIsLearnt(t *testing.T) {
	w := newWaiting(&bpf.TraceEnd{Lingertime: 300, CloseBegan: 1000, Lingering: 1}, 100)
	if w.deadline != ktime(1000).add(3*time.Second) {
		t.Errorf("the wait ends at %v", w.deadline)
	}
	w.learn(&bpf.TraceEnd{
		LeftUs: 1, WaitingUs: 2, OrphanedUs: 3, Returned: 1, ReturnedUs: 4,
		Flags: bpf.TraceFlagFLAG_LEFT | bpf.TraceFlagFLAG_LEFT_DEAD | bpf.TraceFlagFLAG_LEFT_OWNED | bpf.TraceFlagFLAG_DEAD,
	})
	got := wait(w.end)
	want := model.LingerWait{
		Began: true, Left: model.Some(time.Microsecond), LeftDead: true, LeftOwned: true,
		Waiting: model.Some(2 * time.Microsecond), Orphaned: model.Some(3 * time.Microsecond), Returned: model.Some(4 * time.Microsecond),
	}
	if got != want || has(w.end, bpf.TraceFlagFLAG_DEAD) {
		t.Errorf("learnt %+v, want %+v", got, want)
	}
	w.learn(&bpf.TraceEnd{Flags: bpf.TraceFlagFLAG_LEFT})
	if got := wait(w.end); !got.Returned.Is(4*time.Microsecond) || got.LeftDead {
		t.Errorf("a message that knows of no return: %+v", got)
	}
}
