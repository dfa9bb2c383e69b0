package join

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// lateClose is the application's close of a connection that has ended: what it
// asks of the stack is told of the TCB as ever (1038 to 1044, 1039 and 1040
// come for a close and for an abort of any TCB), and Kernel-Network tells a
// disconnect.
func lateClose(c *etltest.Conn, at time.Duration) {
	c.EnterClose(at)
	c.TCP(at, 1038, nil)
	c.TCP(at, 1044, nil)
	c.TCP(at, 1603, etltest.Fields{"State": etltest.Closed})
	c.TCP(at, 1043, nil)
	c.TCP(at, 1039, nil)
	c.TCP(at, 1040, nil)
	c.AFD(at, 1032, etltest.Fields{"EnterExit": 2, "Reason": 2})
	network(c, raw.KernelNetwork, at, 13)
	c.LeaveClose(at+ms, 0)
	c.AFD(at+ms, 1001, etltest.Fields{"EnterExit": 1})
}

// A connection that was reset, or timed out, is closed by its application when
// that looks at it: at once, or hours later. It has ended once.
func TestClosingWhatHasEndedIsNoEnd(t *testing.T) {
	ends := map[uint16]model.Cause{
		1184: model.CausePeerReset, 1046: model.CauseRetransmitTimeout, 1047: model.CauseKeepaliveTimeout,
		1200: model.CauseZeroWindowTimeout, 1185: model.CausePeerRestart,
	}
	for id, cause := range ends {
		for _, after := range []time.Duration{time.Second, 3 * time.Second, time.Hour} {
			t.Run(fmt.Sprint(id, " ", after), func(t *testing.T) {
				b := builder(t)
				c := connection(b, 0)
				c.Connect(0)
				c.Stack(100*ms, id, nil)
				c.State(100*ms, etltest.Established, etltest.Closed)
				lateClose(c, after)
				other := connection(b, 1) // time goes on
				other.Connect(after + 10*time.Second)
				got := play(New(), b)
				if len(got) != 1 || got[0].Kind != model.KindTeardown || got[0].Teardown.Cause != cause {
					t.Errorf("%d records, want one teardown with %v: %+v", len(got), cause, got)
				}
			})
		}
	}
}

// An application that learns of an end closes at once, with SO_LINGER {1,0} or
// with data that it has not read: that is asked of a connection that has ended.
func TestClosingAtOnceWhatHasEndedIsNoAbort(t *testing.T) {
	for name, end := range map[string]struct {
		play    func(c *etltest.Conn)
		verdict model.Verdict
		cause   model.Cause
	}{
		"system abort": {func(c *etltest.Conn) {
			c.Stack(100*ms, 1468, nil)
			c.State(100*ms, etltest.Established, etltest.Closed)
		}, model.Abortive, model.CauseSystemAbort},
		"peer restart": {func(c *etltest.Conn) {
			c.Stack(100*ms, 1185, nil)
			c.State(100*ms, etltest.Established, etltest.Closed)
		}, model.Abortive, model.CausePeerRestart},
		"system abort, states not traced": {func(c *etltest.Conn) {
			c.Stack(100*ms, 1468, nil)
		}, model.Abortive, model.CauseSystemAbort},
		"no reason told": {func(c *etltest.Conn) {
			c.State(100*ms, etltest.Established, etltest.Closed)
		}, model.Abortive, model.CauseUnknown},
		"both sides were done": {func(c *etltest.Conn) {
			c.State(50*ms, etltest.Established, etltest.CloseWait)
			c.FIN(80*ms, etltest.CloseWait, etltest.LastAck)
			c.State(100*ms, etltest.LastAck, etltest.Closed)
		}, model.Graceful, model.CauseFIN},
		"disconnect timer": {func(c *etltest.Conn) {
			c.Stack(100*ms, 1048, nil)
			c.State(100*ms, etltest.Established, etltest.Closed)
		}, model.LingerTimeout, model.CauseLingerExpired},
		"FIN_WAIT2 timeout": {func(c *etltest.Conn) {
			c.FIN(50*ms, etltest.Established, etltest.FinWait1)
			c.State(60*ms, etltest.FinWait1, etltest.FinWait2)
			c.Stack(100*ms, 1201, nil)
			c.State(100*ms, etltest.FinWait2, etltest.Closed)
		}, model.Graceful, model.CauseFinWait2Timeout},
	} {
		for _, reason := range []uint32{2, 7} { // asked for, as by {1,0}, and unread data
			b := builder(t)
			c := connection(b, 0)
			c.Connect(0)
			c.Linger(10*ms, 1, 0)
			end.play(c)
			c.EnterClose(150 * ms)
			c.AFD(151*ms, 1032, etltest.Fields{"EnterExit": 2, "Reason": reason})
			c.TCP(151*ms, 1039, nil)
			c.TCP(151*ms, 1043, nil)
			c.TCP(152*ms, 1040, nil)
			c.LeaveClose(153*ms, 0)
			got, _ := only(t, b)
			if got.Verdict != end.verdict || got.Cause != end.cause || got.TCP.FIN.Sent.Is(true) && end.verdict == model.Abortive {
				t.Errorf("%s, reason %d: %v %v, FIN sent %v; want %v %v", name, reason, got.Verdict, got.Cause, got.TCP.FIN.Sent, end.verdict, end.cause)
			}
		}
	}
}

// What is told as of one moment may have happened in any order: an abort beside
// the end of its connection is believed, and never certainly.
func TestAnAbortAtTheMomentOfTheEnd(t *testing.T) {
	for _, first := range []bool{false, true} {
		b := builder(t)
		c := connection(b, 0)
		c.Connect(0)
		abort := func() { c.TCP(100*ms, 1039, nil) }
		if first {
			abort()
		}
		c.State(100*ms, etltest.Established, etltest.Closed)
		if !first {
			abort()
		}
		c.TCP(101*ms, 1040, nil)
		got, _ := only(t, b)
		if got.Cause != model.CauseLocalAbort || !first && (got.Confidence != model.Inferred || !got.Evidence.Gap) {
			t.Errorf("told first: %v: %v %v, %v, gap %v", first, got.Verdict, got.Cause, got.Confidence, got.Evidence.Gap)
		}
	}
}

// A TCB that ended is another connection's as soon as anything says so.
func TestReusedTCBsOfPastConnectionsAreNew(t *testing.T) {
	for name, again := range map[string]func(c *etltest.Conn){
		"opened": func(c *etltest.Conn) {
			c.Connect(0)
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.State(102*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
		},
		"its begin was lost": func(c *etltest.Conn) {
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.State(102*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
		},
	} {
		b := builder(t)
		c := connection(b, 0)
		c.Connect(0)
		c.Stack(100*ms, 1184, nil)
		c.State(100*ms, etltest.Established, etltest.Closed)
		lateClose(c, 5*sec)
		b.Base = 10 * sec
		again(c)
		got := play(New(), b)
		if len(got) != 2 || got[0].Teardown.Cause != model.CausePeerReset || got[1].Teardown.Verdict != model.Graceful {
			t.Errorf("%s: %d records, want a reset and a graceful end: %+v", name, len(got), got)
		}
	}
}

// Without the events of births and states (mask 0x80) only the addresses show
// that a TCB is another connection's.
func TestReusedTCBsAreKnownByTheirAddresses(t *testing.T) {
	b := builder(t)
	passes(b, 40*sec)
	want := []model.Cause{model.CauseLocalAbort, model.CauseRetransmitTimeout, model.CausePeerReset, model.CauseKeepaliveTimeout}
	for i, id := range []uint16{1039, 1046, 1184, 1047} {
		c := connection(b, i)
		c.TCB = 0x1000
		b.Base = time.Duration(i) * 10 * sec
		c.Stack(0, id, nil)
		c.Stack(5*sec, 1039, nil) // closed when it has long ended
	}
	got := play(New(), b)
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d: %+v", len(got), len(want), got)
	}
	for i, r := range got {
		if r.Teardown.Cause != want[i] || int(r.Teardown.Network.Peer.Port) != 20000+i {
			t.Errorf("end %d: %v of %v, want %v", i, r.Teardown.Cause, r.Teardown.Network.Peer, want[i])
		}
	}
}

// Where the addresses of a connection that has ended were never told, those of
// a later event are likely to be its.
func TestClosingWhatEndedWithoutAddressesIsNoEnd(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.State(0, etltest.Established, etltest.Closed)
	passes(b, 5*sec)
	c.TCP(4*sec, 1039, nil)
	if got, _ := only(t, b); got.Cause != model.CauseUnknown {
		t.Errorf("cause %v, want unknown", got.Cause)
	}
}

// In the rundown a TCB in TIME_WAIT has its addresses.
func TestTCBsInTimeWaitAreReused(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Stack(0, 1300, etltest.Fields{"State": etltest.TimeWait})
	c.TCP(1*sec, 1039, nil)
	again := connection(b, 1)
	again.TCB = c.TCB
	again.Stack(2*sec, 1184, nil)
	if got, _ := only(t, b); got.Cause != model.CausePeerReset || got.Network.Peer.Port != again.Peer.Port() {
		t.Errorf("%v of %v, want the reset of the other", got.Cause, got.Network.Peer)
	}
}

// A coarse clock gives the thread's events and those of the stack, on another
// CPU, the same time, and a file does not say which of them were first.
func TestEventsOfOneMomentComeInAnyOrder(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.NoAFD, c.NoSockets = true, true
	c.Connect(0)
	c.FIN(100*ms, etltest.Established, etltest.FinWait1)
	c.State(120*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		var cpus [2][]etltest.Event
		for _, e := range b.Trace().Events {
			e.At = sec
			cpus[min(e.TID, 1)] = append(cpus[min(e.TID, 1)], e)
		}
		var list []etltest.Event
		for len(cpus[0])+len(cpus[1]) > 0 {
			if i := random.IntN(2); len(cpus[i]) > 0 {
				list, cpus[i] = append(list, cpus[i][0]), cpus[i][1:]
			}
		}
		got := play(New(), &etltest.Builder{Events: list, Windows: b.Windows})
		if len(got) != 1 || got[0].Kind != model.KindTeardown {
			t.Fatalf("%d records, want one teardown: %+v", len(got), got)
		}
		if r := &got[0].Teardown; r.Confidence == model.Certain && r.Verdict != model.Graceful {
			t.Fatalf("%v is certain, want it inferred or graceful", r.Verdict)
		}
	}
}
