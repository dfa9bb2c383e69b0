package join

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"

	"github.com/closetrace/closetrace/model"
)

// only returns the one teardown of b, and how many closes failed.
func only(t *testing.T, b *etltest.Builder) (model.Teardown, int) {
	t.Helper()
	var ends []model.Teardown
	failed := 0
	for _, r := range play(New(), b) {
		switch r.Kind {
		case model.KindTeardown:
			ends = append(ends, r.Teardown)
		case model.KindCloseFailed:
			failed++
		default:
			t.Errorf("record %+v, want teardowns only", r)
		}
	}
	if len(ends) != 1 {
		t.Fatalf("%d teardowns, want 1", len(ends))
	}
	return ends[0], failed
}

// passes lets time pass: another connection does something every 10 ms.
func passes(b *etltest.Builder, until time.Duration) {
	other := connection(b, 77)
	other.NoSockets, other.NoAFD, other.TID = true, true, 9999
	other.Connect(0)
	for at := 10 * ms; at < until; at += 10 * ms {
		other.Stack(at, 1479, etltest.Fields{"Reason": 0})
	}
}

// docs/etw.md 4.4: an abort by a worker thread is the closesocket's up to 250 ms
// after it.
func TestAbortsBelongToACloseForAQuarterOfASecond(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	passes(b, 4*sec)
	c.Connect(0)
	c.Linger(50*ms, 1, 2)
	c.EnterClose(100 * ms)
	c.LeaveClose(2103*ms, 0)
	c.TID += 1000
	c.Abort(2303*ms, etltest.Established, 2)
	if got, _ := only(t, b); got.Cause != model.CauseLingerExpired {
		t.Errorf("cause %v, want linger-expired", got.Cause)
	}
}

// 4.3: an end whose transition to closed does not come is told after 2 s.
func TestEndsWaitTwoSecondsForTheirTransition(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	passes(b, 4*sec)
	c.Connect(0)
	c.Stack(100*ms, 1184, nil)
	c.State(1800*ms, etltest.Established, etltest.Closed)
	if got, _ := only(t, b); got.TCP.Path.Len() != 3 || got.Cause != model.CausePeerReset {
		t.Errorf("path %v, %v; want SYN_SENT to CLOSED, reset", got.TCP.Path, got.Cause)
	}
}

// A closesocket that began the FIN tore the connection down, whatever it says.
func TestWouldBlockAfterTheFINIsNoFailedClose(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	c.Linger(50*ms, 1, 5)
	c.EnterClose(100 * ms)
	c.FIN(101*ms, etltest.Established, etltest.FinWait1)
	c.LeaveClose(103*ms, 10035)
	c.State(150*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
	if got, failed := only(t, b); failed != 0 || got.Verdict != model.Graceful {
		t.Errorf("%d failed closes, %v; want none and graceful", failed, got.Verdict)
	}
}

// The stack runs in any thread: what it asks of another process's connection
// there is not the closesocket's.
func TestClosesOfOtherProcessesAreNotTheCallers(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.NoSockets, c.NoAFD = true, true
	c.Connect(0)
	stranger := *c
	stranger.NoSockets, stranger.PID, stranger.Socket, stranger.TID = false, 999, 0x999, 4000
	stranger.EnterClose(100 * ms)
	stranger.TCP(101*ms, 1039, nil)
	stranger.State(101*ms, etltest.Established, etltest.Closed)
	stranger.LeaveClose(103*ms, 0)
	if got, _ := only(t, b); got.Process.PID != 812 || got.Closer.PID == 999 {
		t.Errorf("process %d, closer %+v; want 812, closed by no call of 999", got.Process.PID, got.Closer)
	}
}

// An abort before closesocket began is none of SO_LINGER's.
func TestAbortsBeforeTheCloseAreNotItsOwn(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	c.Linger(50*ms, 1, 0)
	c.TID += 1000
	c.Abort(80*ms, etltest.Established, 2)
	c.TID -= 1000
	c.EnterClose(200 * ms)
	c.LeaveClose(202*ms, 0)
	if got, _ := only(t, b); got.Cause == model.CauseLingerZero || !got.Evidence.AbortInClose.Is(false) {
		t.Errorf("%v, abort in close %v; want that it was before", got.Cause, got.Evidence.AbortInClose)
	}
}

// Whether accept copies SO_LINGER is not documented: a listener that has it on
// leaves the socket's unknown.
func TestAcceptedSocketsOfLingeringListenersAreUnknown(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Call(0, 2, etltest.Fields{"Socket": 0x77, "AddressFamily": 2, "SocketType": 1, "Protocol": 6, "ProcessId": c.PID})
	c.Call(0, 8, etltest.Fields{"Socket": 0x77, "Level": 0xFFFF, "OptName": 0x80, "OptVal": []byte{1, 0, 0, 0}})
	c.State(1*ms, etltest.Listen, etltest.SynRcvd, etltest.Established)
	c.Stack(3*ms, 1017, etltest.Fields{"ProcessId": c.PID})
	c.AFD(4*ms, 1024, etltest.Fields{"EnterExit": 1, "Endpoint": 0x77, "Address": c.Peer, "AcceptEndpoint": c.Endpoint})
	c.Call(5*ms, 6, etltest.Fields{"SocketAccepted": c.Socket, "SocketListening": 0x77, "ProcessId": c.PID})
	c.EnterClose(100 * ms)
	c.Abort(101*ms, etltest.Established, 2)
	c.LeaveClose(103*ms, 0)
	if got, _ := only(t, b); got.Linger.On.Known() || got.Cause == model.CauseLingerZero {
		t.Errorf("linger %+v, %v; want unknown", got.Linger, got.Cause)
	}
}

// A handle is used again; the new socket has SO_LINGER off.
func TestNewSocketsForgetTheLingerOfTheirHandle(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Create(0)
	c.Linger(10*ms, 1, 0) // and its close is not seen
	b.Base = time.Second
	c.Connect(0)
	c.EnterClose(100 * ms)
	c.FIN(101*ms, etltest.Established, etltest.FinWait1)
	c.LeaveClose(103*ms, 0)
	c.State(150*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
	if got, _ := only(t, b); !got.Linger.On.Is(false) {
		t.Errorf("linger %+v, want off", got.Linger)
	}
}

// AFD_ABORT_ValueMap, 4: the transport indicated the abort; event 8 is the
// older form of that. 0x10 and 0x11, of overlapped requests that closesocket
// cancels (WSA_OPERATION_ABORTED), mean no unread data.
func TestAbortReasonsOfAFD(t *testing.T) {
	for _, tt := range []struct {
		id     uint16
		reason uint32
		want   model.AbortReason
	}{
		{1032, 4, model.AbortPeer},
		{8, 0, model.AbortPeer},
		{1032, 2, model.AbortRequested},
		{7, 7, model.AbortUnread},
		{1032, 0x10, model.AbortOther},
		{1032, 0x11, model.AbortOther},
	} {
		b := builder(t)
		c := connection(b, 0)
		c.Connect(0)
		fields := etltest.Fields{"EnterExit": 2, "Reason": tt.reason}
		if tt.id != 1032 {
			delete(fields, "EnterExit")
		}
		if tt.id == 8 {
			delete(fields, "Reason")
		}
		c.AFD(100*ms, tt.id, fields)
		c.TCP(101*ms, 1039, nil)
		c.State(102*ms, etltest.Established, etltest.Closed)
		if got, _ := only(t, b); got.Evidence.AbortReason != tt.want {
			t.Errorf("event %d reason %d: %v, want %v", tt.id, tt.reason, got.Evidence.AbortReason, tt.want)
		}
	}
}

// The endpoint of a UDP socket is none of a connection's, though it has had its
// address.
func TestDatagramSocketsAreLeftAlone(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	c.AFD(50*ms, 1001, etltest.Fields{"EnterExit": 1})
	b.Events[len(b.Events)-1].Keyword = 1<<63 | 0x5
	c.TID += 1000
	c.AFD(100*ms, 1032, etltest.Fields{"EnterExit": 2, "Reason": 7})
	c.TID += 1000
	c.TCP(101*ms, 1039, nil)
	c.State(102*ms, etltest.Established, etltest.Closed)
	if got, _ := only(t, b); got.Cause != model.CauseUnreadData || got.Confidence != model.Certain {
		t.Errorf("%v %v, want unread-data, certain", got.Cause, got.Confidence)
	}
}

// An endpoint's address is used again within milliseconds (seen on Windows 10):
// its create begins another one.
func TestEndpointsHaveGenerations(t *testing.T) {
	b := builder(t)
	first, second := connection(b, 0), connection(b, 1)
	second.Endpoint = first.Endpoint
	first.Connect(0)
	b.Base = sec
	second.Connect(0)
	second.TID += 1000
	second.AFD(100*ms, 1032, etltest.Fields{"EnterExit": 2, "Reason": 7})
	second.TID += 1000
	second.TCP(101*ms, 1039, nil)
	second.State(102*ms, etltest.Established, etltest.Closed)
	if got, _ := only(t, b); got.Cause != model.CauseUnreadData || got.Network.Peer.Port != second.Peer.Port() {
		t.Errorf("%v of port %d, want unread-data of the second", got.Cause, got.Network.Peer.Port)
	}
}

// Event 3006 is the peer's FIN also where the states are not traced (mask 0x80).
func TestDisconnectIndicationsArePeerFINs(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Create(0)
	c.AFD(1*ms, 1018, etltest.Fields{"EnterExit": 0, "Address": c.Peer})
	c.TCP(2*ms, 1002, etltest.Fields{"NewState": etltest.SynSent})
	c.Stack(3*ms, 1033, etltest.Fields{"ProcessId": c.PID})
	c.AFD(50*ms, 3006, etltest.Fields{"EnterExit": 3})
	c.TCP(100*ms, 1039, nil)
	if got, _ := only(t, b); !got.Evidence.Announced.Has(model.ObservedPeerFIN) || !got.TCP.FIN.Received.Is(true) {
		t.Errorf("announced %v, want the peer's FIN", got.Evidence.Announced)
	}
}

// ntstatus.h: STATUS_CANCELLED and STATUS_NETWORK_UNREACHABLE of a connect.
func TestStatusesOfFailedConnects(t *testing.T) {
	for status, want := range map[uint32]failure{
		0xC0000120: {model.ObservedAbort, ""}, 0xC000023C: {model.ObservedUnreachable, "ENETUNREACH"},
		0xC0000236: {model.ObservedRefused, "ECONNREFUSED"}, 0xC00000B5: {model.ObservedConnectTimeout, "ETIMEDOUT"},
	} {
		b := builder(t)
		c := connection(b, 0)
		c.TCP(1*ms, 1002, etltest.Fields{"NewState": etltest.SynSent})
		c.TCP(2*ms, 1051, etltest.Fields{"OldState": etltest.Closed, "NewState": etltest.SynSent})
		c.Stack(50*ms, 1034, etltest.Fields{"Status": status})
		c.State(51*ms, etltest.SynSent, etltest.Closed)
		if got, _ := only(t, b); !got.Evidence.Announced.Has(want.announced) || got.TCP.Error != want.errno || got.Verdict != model.FailedOpen {
			t.Errorf("status %x: %v %q %v, want %v %q", status, got.Evidence.Announced, got.TCP.Error, got.Verdict, want.announced, want.errno)
		}
	}
}

// What is heard of a TCB in TIME_WAIT, for minutes, is of no new connection.
func TestTimeWaitIsRemembered(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	c.FIN(100*ms, etltest.Established, etltest.FinWait1)
	c.State(102*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
	other := connection(b, 1)
	other.Connect(10 * sec) // time goes on
	c.Stack(20*sec, 1184, nil)
	c.TCP(30*sec, 1038, nil)
	c.TCP(30*sec, 1040, nil)
	c.State(40*sec, etltest.TimeWait, etltest.Closed)
	if got, _ := only(t, b); got.Verdict != model.Graceful {
		t.Errorf("%v, want graceful", got.Verdict)
	}
}

// A peer that has two connections to this host from one port: which of them an
// accept is for is not known.
func TestSharedPeersAreNotGuessed(t *testing.T) {
	b := builder(t)
	c, other := connection(b, 0), connection(b, 1)
	other.Peer = c.Peer
	for _, x := range []*etltest.Conn{c, other} {
		x.State(0, etltest.Listen, etltest.SynRcvd, etltest.Established)
		x.Stack(2*ms, 1017, etltest.Fields{"ProcessId": x.PID})
	}
	c.AFD(4*ms, 1024, etltest.Fields{"EnterExit": 1, "Endpoint": 0x77, "Address": c.Peer, "AcceptEndpoint": c.Endpoint})
	c.TID += 1000
	c.AFD(100*ms, 1032, etltest.Fields{"EnterExit": 2, "Reason": 7})
	other.Stack(101*ms, 1039, nil)
	other.State(102*ms, etltest.Established, etltest.Closed)
	if got, _ := only(t, b); got.Cause == model.CauseUnreadData {
		t.Errorf("%v %v of port %d, want that no reason is given", got.Cause, got.Confidence, got.Network.Local.Port)
	}
}
