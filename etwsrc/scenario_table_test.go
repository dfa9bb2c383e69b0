package etwsrc

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/model"
)

// wouldBlock plays what comes before the second closesocket of a non-blocking
// socket with SO_LINGER {1,5}: the first fails and tears nothing down.
func wouldBlock(c *etltest.Conn) {
	c.Connect(0)
	c.Linger(50*ms, 1, 5)
	c.EnterClose(60 * ms)
	c.LeaveClose(61*ms, 10035)
}

var lingerZero = verdict{model.Abortive, model.CauseLingerZero, model.InitiatorLocal, model.LocalApp, model.Certain}

// table are the rows of the closesocket table in docs/windows.md that are not
// in closes. The sequences of events are those of the stack for the calls that
// Microsoft's text names (learn.microsoft.com: closesocket, shutdown,
// WSPCloseSocket); the expectations are the text's.
var table = []scenario{
	{
		name: "{1,0} on a non-blocking socket", want: lingerZero, less: &localAbort,
		row: `closesocket: "l_linger is zero, closesocket is not blocked even if queued data has not yet been sent": no WSAEWOULDBLOCK`,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 0)
			c.EnterClose(100 * ms)
			c.Abort(100*ms, etltest.Established, 2)
			c.LeaveClose(101*ms, 0)
		},
	},
	{
		name: "{1,5} on a non-blocking socket that can be closed at once", want: byUs,
		row: `closesocket: WSAEWOULDBLOCK only "if the close operation cannot be completed immediately"`,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 5)
			c.EnterClose(100 * ms)
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.LeaveClose(102*ms, 0)
			c.State(120*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
		},
	},
	{
		name: "WSAEWOULDBLOCK, then SO_DONTLINGER and close", want: byUs,
		row: `closesocket: "the application must [...] setsockopt SO_DONTLINGER [...] before closesocket succeeds"`,
		play: func(c *etltest.Conn) {
			wouldBlock(c)
			c.Call(70*ms, 8, etltest.Fields{"Level": 0xFFFF, "OptName": uint32(0xFFFFFF7F), "OptVal": []byte{1, 0, 0, 0}})
			c.EnterClose(100 * ms)
			graceful(c, 101*ms)
			c.LeaveClose(103*ms, 0)
		},
		check: func(t *model.Teardown) string { return wrong(t.Linger.On.Is(false)) },
	},
	{
		name: "WSAEWOULDBLOCK, then {1,0} and close", row: "closesocket: the hard close of the second row", want: lingerZero, less: &localAbort,
		play: func(c *etltest.Conn) {
			wouldBlock(c)
			c.Linger(70*ms, 1, 0)
			c.EnterClose(100 * ms)
			c.Abort(101*ms, etltest.Established, 2)
			c.LeaveClose(103*ms, 0)
		},
	},
	{
		name: "WSAEWOULDBLOCK, then shutdown and close", row: "shutdown SD_SEND: a FIN after all data was acknowledged", want: byUs,
		play: func(c *etltest.Conn) {
			wouldBlock(c)
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.State(120*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
			c.EnterClose(200 * ms)
			c.LeaveClose(201*ms, 0)
		},
	},
	{
		name: "SD_SEND, then {1,0} in FIN_WAIT2", row: "closesocket: {1,0} resets the virtual circuit immediately", want: lingerZero, less: &localAbort,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.FIN(50*ms, etltest.Established, etltest.FinWait1)
			c.State(60*ms, etltest.FinWait1, etltest.FinWait2)
			c.Linger(80*ms, 1, 0)
			c.EnterClose(100 * ms)
			c.Abort(101*ms, etltest.FinWait2, 2)
			c.LeaveClose(103*ms, 0)
		},
	},
	{
		name: "SD_BOTH, then close", row: "shutdown SD_BOTH, closesocket: the FIN was sent before", want: byUs,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.FIN(50*ms, etltest.Established, etltest.FinWait1)
			c.State(60*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
			c.EnterClose(100 * ms)
			c.LeaveClose(101*ms, 0)
		},
	},
	{
		name: "a send is pending at closesocket", want: localAbort,
		row:  `closesocket: "pending overlapped operations fail with WSA_OPERATION_ABORTED"; AFD abort reason 0x10`,
		play: pending(0x10),
	},
	{
		name: "a TransmitFile is pending at closesocket", want: localAbort,
		row:  `closesocket: "pending overlapped operations fail with WSA_OPERATION_ABORTED"; AFD abort reason 0x11`,
		play: pending(0x11),
	},
	{
		name: "closesocket through a layered provider", row: "WSPCloseSocket: the provider closes a socket of its own inside", want: byUs,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.EnterClose(100 * ms)
			c.EnterClose(100 * ms)
			c.FIN(101*ms, etltest.Established, etltest.FinWait1)
			c.LeaveClose(102*ms, 0)
			c.Call(103*ms, 4, etltest.Fields{"Socket": 0xF000, "ErrorCode": 0}) // the application's handle
			c.State(120*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.Closer.Call == model.CallClose && t.Linger.On.Is(false))
		},
	},
}

func pending(reason uint32) func(c *etltest.Conn) {
	return func(c *etltest.Conn) {
		c.Connect(0)
		c.EnterClose(100 * ms)
		c.Abort(101*ms, etltest.Established, reason)
		c.LeaveClose(103*ms, 0)
	}
}

// After WSAEWOULDBLOCK the handle is open: the record says that nothing was
// torn down, and the end comes with the call that succeeds.
func TestWouldBlockIsToldBesideTheEnd(t *testing.T) {
	for _, s := range table {
		b := etltest.NewBuilder(t, etltest.Releases()[7])
		s.play(connection(b, 0))
		failed := 0
		for _, r := range judge(t, b.Trace().Bytes()) {
			if r.Kind == model.KindCloseFailed {
				failed++
				if r.Error != "WSAEWOULDBLOCK" || r.Teardown.Linger.Seconds.Or(0) != 5 || r.Time().Sub(model.TimeOf(time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC))) != 61*ms {
					t.Errorf("%s: %+v, want WSAEWOULDBLOCK of {1,5}", s.name, r)
				}
			}
		}
		want := 0
		if len(s.name) > 14 && s.name[:14] == "WSAEWOULDBLOCK" {
			want = 1
		}
		if failed != want {
			t.Errorf("%s: %d failed closes, want %d", s.name, failed, want)
		}
	}
}
