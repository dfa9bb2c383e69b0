//go:build linux

package tracer

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestTalkBecomesFacts: what was exchanged is known of an end whose ->CLOSE was shown, and
// what was agreed only once the connection was open.
func TestTalkBecomesFacts(t *testing.T) {
	talk := func(change func(*bpf.TraceEnd)) *model.TCP {
		f := translated(func(e *bpf.TraceEnd) {
			e.SegsIn, e.SegsOut, e.BytesRetrans, e.UnackedMs, e.Unacked = 3, 4, 5, 6, 7
			e.Mss, e.Pmtu, e.PeerWindow, e.SynData, e.Last = 1448, 1500, 9000, 1, uint8(model.FinWait2)
			e.Busy, e.ReceiverLimited, e.SenderLimited = 250, 500, 750 // jiffies
			e.Quiet, e.SentAge, e.ReceivedAge, e.BytesSent, e.LateData = 100e9, 250, 500, 1, 25
			change(e)
		})
		return &f.TCP
	}
	all := talk(func(*bpf.TraceEnd) {})
	for what, ok := range map[string]bool{
		"segments": all.Segments.In.Is(3) && all.Segments.Out.Is(4), "resent": all.Bytes.Retransmitted.Is(5), "waited": all.UnackedWait.Is(6 * time.Millisecond),
		"sizes": all.MSS.Is(1448) && all.PMTU.Is(1500) && all.PeerWindow.Is(9000), "data in SYN": all.FastOpen.Is(true),
		"busy": all.Limited.Busy.Is(6 * time.Second), "limited": all.Limited.Receiver.Is(2*time.Second) && all.Limited.Sender.Is(3*time.Second),
		"last": all.LastSent == 99e9+1000 && all.LastReceived == 98e9+1000, "late": all.LateData.Is(100 * time.Millisecond),
	} {
		if !ok {
			t.Errorf("%s: got %+v", what, all)
		}
	}
	for what, silent := range map[string]*model.TCP{
		"before its end":   talk(func(e *bpf.TraceEnd) { e.Flags = 0 }),
		"wiped":            talk(func(e *bpf.TraceEnd) { e.Flags |= bpf.TraceFlagFLAG_UNTRACKED; e.PeerPort = 0 }),
		"sizes of nothing": talk(func(e *bpf.TraceEnd) { e.Mss, e.Pmtu, e.UnackedMs = 0, 0, 0 }),
	} {
		if silent.MSS.Known() || silent.PMTU.Known() || silent.UnackedWait.Known() || (what != "sizes of nothing") != !silent.Segments.In.Known() {
			t.Errorf("%s: got %+v", what, silent)
		}
	}
	attempt := talk(func(e *bpf.TraceEnd) { e.Last = uint8(model.SynSent) })
	if !attempt.Segments.Out.Is(4) || attempt.MSS.Known() || attempt.PeerWindow.Known() || attempt.Limited.Busy.Known() {
		t.Errorf("an attempt: got %+v", attempt)
	}
	mute := talk(func(e *bpf.TraceEnd) { e.BytesSent, e.BytesReceived = 0, 0 })
	if mute.LastSent != 0 || mute.LastReceived != 0 || mute.LateData.Known() || mute.Idle.Known() {
		t.Errorf("without data: got %+v", mute)
	}
	if old := talk(func(e *bpf.TraceEnd) { e.Quiet = 0 }); old.LastSent != 0 || old.Idle.Known() {
		t.Errorf("of an unknown moment: got %+v", old)
	}
}

// TestPeersFIN: it was received in the states that follow it; in FIN_WAIT2 TIME_WAIT may see it.
func TestPeersFIN(t *testing.T) {
	for _, c := range []struct {
		path []model.State
		want model.Opt[bool]
	}{
		{[]model.State{model.Established}, model.Some(false)},
		{[]model.State{model.Established, model.FinWait1}, model.Some(false)},
		{[]model.State{model.Established, model.FinWait1, model.FinWait2}, model.Opt[bool]{}},
		{[]model.State{model.Established, model.FinWait1, model.Closing}, model.Some(true)},
		{[]model.State{model.Established, model.CloseWait}, model.Some(true)},
		{[]model.State{model.Established, model.LastAck}, model.Some(true)},
	} {
		f := translated(func(e *bpf.TraceEnd) { e.Path = states(append(c.path, model.Closed)...) })
		if f.TCP.FIN.Received != c.want {
			t.Errorf("%v: got %v, want %v", c.path, f.TCP.FIN.Received, c.want)
		}
	}
}

// TestWhoAndHow: the acceptor, the closer and the holder of the descriptor, and what an
// attempt had for a port.
func TestWhoAndHow(t *testing.T) {
	f := translated(func(e *bpf.TraceEnd) {
		e.Acceptor, e.AcceptorComm = 8, comm("parent")
		e.Closer, e.Call, e.Signal = bpf.TraceCloser{Tgid: 9, Tid: 10, Comm: comm("child")}, uint8(model.CallExit), 15
		e.Holder, e.LastWord, e.Linger = uint8(model.HolderOpen), sentSince, 1
		e.Flags |= bpf.TraceFlagFLAG_NO_PORT
	})
	if f.Acceptor != (model.Acceptor{PID: 8, Name: "parent"}) || f.Closer.PID != 9 || f.Closer.TID != 10 || f.Closer.Name != "child" || f.Closer.Signal != 15 || f.Closer.Call != model.CallExit {
		t.Errorf("got %+v, %+v", f.Acceptor, f.Closer)
	}
	if v := f.Evidence; v.Descriptor != model.HolderOpen || !v.SentWhileClosing || !v.NoPort || !f.Linger.Seconds.Is(0) {
		t.Errorf("got %+v, %+v", v, f.Linger)
	}
	if f := translated(func(e *bpf.TraceEnd) { e.Call, e.Signal = uint8(model.CallExit), 9 }); f.Closer != (model.Closer{}) || f.Acceptor.PID != 0 || f.Process.PID != 0 {
		t.Errorf("nobody is known: got %+v, %+v", f.Closer, f.Acceptor)
	}
	var tr translator
	tr.seesICMP4 = true
	attempt := bpf.TraceEnd{Family: unix.AF_INET, Last: uint8(model.SynSent)}
	if got := tr.icmpWatched(&attempt); !got.Is(true) {
		t.Errorf("ICMP of an attempt: got %v", got)
	}
	attempt.Family = unix.AF_INET6
	if got := tr.icmpWatched(&attempt); !got.Is(false) {
		t.Errorf("ICMPv6, which is not seen: got %v", got)
	}
	attempt.Last = uint8(model.Established)
	if got := tr.icmpWatched(&attempt); got.Known() {
		t.Errorf("of an open connection: got %v", got)
	}
}

// TestSignalBeforeAnEnd: the last signal that the process got before its end, within five seconds.
func TestSignalBeforeAnEnd(t *testing.T) {
	const at = 100e9
	slots := make([]bpf.SignalsSignalled, 4)
	slots[7%4] = bpf.SignalsSignalled{Tgid: 7, Last: bpf.SignalsTold{Time: at, Number: 15, Sender: 1}, Before: bpf.SignalsTold{Time: at - 1e9, Number: 1, Sender: 2}}
	var memory bytes.Buffer
	if err := binary.Write(&memory, binary.NativeEndian, slots); err != nil {
		t.Fatal(err)
	}
	s := &signals{memory: bytes.NewReader(memory.Bytes()), slots: 4}
	for _, c := range []struct {
		pid  uint32
		then ktime
		want uint32
	}{
		{7, at, 15},
		{7, ktime(at).add(signalledFor), 15},
		{7, ktime(at).add(signalledFor) + 1, 0},
		{7, at - 1, 1},
		{7, at - 1e9, 1},
		{7, at - 1e9 - 1, 0},
		{3, at, 0}, // of the same slot
		{0, at, 0},
	} {
		if got, ok := s.before(c.pid, c.then); ok != (c.want != 0) || ok && got.Number != c.want {
			t.Errorf("process %d at %d: got signal %d, %v, want %d", c.pid, c.then, got.Number, ok, c.want)
		}
	}
	if _, ok := (*signals)(nil).before(7, at); ok {
		t.Error("a signal is known where none are watched")
	}
}

// TestGapAroundAnEnd: an end before which messages were lost says so, one after which they were not lost does not.
func TestGapAroundAnEnd(t *testing.T) {
	for what, c := range map[string]struct {
		lost, now uint32
		flags     bpf.TraceFlag
		want      bool
	}{
		"nothing was lost": {3, 3, 0, false}, "lost since": {3, 4, 0, true}, "not followed": {3, 3, bpf.TraceFlagFLAG_UNTRACKED, true},
	} {
		p := newLingerPlay()
		p.end(bpf.TraceMessageMESSAGE_END, bpf.TraceEnd{
			Sock: 1, Family: unix.AF_INET, Started: 1e9, Ended: 2e9, Path: states(model.Established, model.Closed), Lost: c.lost, Flags: bpf.TraceFlagFLAG_ENDED | c.flags,
		})
		if p.flush(c.now, p.out); len(p.events) != 1 || p.events[0].Teardown.Evidence.Gap != c.want {
			t.Errorf("%s: got %+v", what, p.events)
		}
	}
	p := newLingerPlay()
	p.end(bpf.TraceMessageMESSAGE_END, bpf.TraceEnd{Sock: 1, Ended: 2e9})
	p.end(bpf.TraceMessageMESSAGE_END, bpf.TraceEnd{Sock: 2, Ended: 2e9})
	n := 0
	if p.flush(0, func(*model.Event) bool { n++; return false }) || n != 1 {
		t.Errorf("%d ends were delivered to a consumer that left at the first", n)
	}
}

// TestOpened: an attempt opened nothing, and of what is older than the trace all but attempts did.
func TestOpened(t *testing.T) {
	for _, c := range []struct {
		last  model.State
		path  uint64
		flags bpf.TraceFlag
		want  bool
	}{
		{model.SynSent, states(model.SynSent, model.Closed), 0, false},
		{model.SynRecv, states(model.SynRecv, model.Closed), 0, false},
		{model.Established, states(model.SynSent, model.Established, model.Closed), 0, true},
		{model.CloseWait, states(model.CloseWait, model.Closed), bpf.TraceFlagFLAG_PREEXISTING, true},
		{model.CloseWait, states(model.CloseWait, model.Closed), 0, false},
		{model.SynSent, states(model.SynSent, model.Closed), bpf.TraceFlagFLAG_PREEXISTING, false},
	} {
		e := bpf.TraceEnd{Last: uint8(c.last), Path: c.path, Flags: c.flags}
		if opened(&e) != c.want || connecting(&e) != (c.last == model.SynSent) {
			t.Errorf("%v, flags %x: opened %v, connecting %v", c.last, c.flags, opened(&e), connecting(&e))
		}
	}
	if hasState(states(model.Established, model.FinWait1), model.SynSent) || !hasState(states(model.Established, model.FinWait1), model.Established) {
		t.Error("a path's states are not its own")
	}
}
