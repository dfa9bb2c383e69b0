package etwsrc

import (
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/model"
)

// ends are the ways in which not the application's closesocket decides.
var ends = []scenario{
	{
		name: "the peer closes first", row: "4.3 row 10", want: byPeer,
		play: func(c *etltest.Conn) {
			c.Accept(0)
			c.State(50*ms, etltest.Established, etltest.CloseWait)
			c.AFD(51*ms, 3006, etltest.Fields{"EnterExit": 3})
			c.EnterClose(100 * ms)
			c.FIN(101*ms, etltest.CloseWait, etltest.LastAck)
			c.LeaveClose(103*ms, 0)
			c.State(130*ms, etltest.LastAck, etltest.Closed)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.TCP.FIN.Received.Is(true) && t.TCP.FIN.Sent.Is(true) && t.TCP.TimeWait.Is(false))
		},
	},
	{
		name: "both close at once", row: "record.md: initiator both",
		want: verdict{model.Graceful, model.CauseFIN, model.InitiatorBoth, model.LocalApp, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.State(110*ms, etltest.FinWait1, etltest.Closing, etltest.TimeWait)
		},
	},
	{
		name: "counters at the end", row: "1.2: 1477", needs: 1477, want: byUs,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			graceful(c, 100*ms)
			c.Stack(130*ms, 1477, etltest.Fields{"DataBytesOut": 1 << 40, "DataBytesIn": 99, "RttUs": 182})
		},
		check: func(t *model.Teardown) string {
			b := t.TCP.Bytes
			return wrong(b.Sent.Is(1<<40) && b.Unacked.Is(0) && b.Received.Is(99) && t.TCP.SRTT.Is(182*time.Microsecond))
		},
	},
	{
		name: "counters of a connection that was reset", row: "1.2: 1477; what was acknowledged is not told", needs: 1477, want: reset,
		play: func(c *etltest.Conn) {
			c.Accept(0)
			c.State(50*ms, etltest.Established, etltest.CloseWait)
			c.FIN(100*ms, etltest.CloseWait, etltest.LastAck)
			c.Stack(130*ms, 1477, etltest.Fields{"DataBytesOut": 5, "DataBytesIn": 99})
			c.Stack(130*ms, 1184, nil)
			c.State(130*ms, etltest.LastAck, etltest.Closed)
		},
		check: func(t *model.Teardown) string {
			b := t.TCP.Bytes
			return wrong(!b.Sent.Known() && !b.Unacked.Known() && b.Received.Is(99) && !t.TCP.SRTT.Known())
		},
	},
	{
		name: "RST received", row: "4.3 row 2", want: reset,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Stack(100*ms, 1184, nil)
			c.State(100*ms, etltest.Established, etltest.Closed)
		},
	},
	{
		name: "RST received after our FIN", row: "4.3: abortive after the FIN",
		want: verdict{model.Abortive, model.CausePeerReset, model.InitiatorLocal, model.Peer, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.State(120*ms, etltest.FinWait1, etltest.FinWait2)
			c.Stack(150*ms, 1184, nil)
			c.State(150*ms, etltest.FinWait2, etltest.Closed)
		},
	},
	{
		name: "RST received in TIME_WAIT", row: "RFC 1337: the connection has finished", want: byUs,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			graceful(c, 100*ms)
			c.Stack(150*ms, 1184, nil)
			c.State(150*ms, etltest.TimeWait, etltest.Closed)
		},
	},
	{
		name: "RST received and nothing more (mask 0x80)", row: "4.3 row 2", want: reset,
		play: func(c *etltest.Conn) {
			c.Stack(0, 1033, etltest.Fields{"ProcessId": c.PID})
			c.Stack(100*ms, 1184, nil)
		},
	},
	{
		name: "disconnect timer", row: "4.3 row 5",
		want: verdict{model.LingerTimeout, model.CauseLingerExpired, model.InitiatorLocal, model.LocalApp, model.Inferred},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Stack(100*ms, 1048, nil)
			c.State(100*ms, etltest.Established, etltest.Closed)
		},
	},
	{name: "unread data: SD_RECEIVE", row: "4.3 row 6, reason 3", want: unread, play: aborted(3)},
	{name: "unread data: pending at disconnect", row: "4.3 row 6, reason 7", want: unread, play: aborted(7)},
	{name: "data after the receive shutdown", row: "4.3 row 6, reason 0xC", want: unread, play: aborted(0xC)},
	{name: "data during the endpoint's cleanup", row: "4.3 row 6, reason 0xD", want: unread, play: aborted(0xD)},
	{name: "abort, disconnect failed", row: "4.3 row 7, reason 6", want: localAbort, play: aborted(6)},
	{name: "abort, no word of AFD", row: "4.3 row 7", want: localAbort, play: aborted(0)},
	{
		name: "process exits without closesocket", row: "4.4: the owner is known from the birth", want: localAbort,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.AFD(99*ms, 1002, etltest.Fields{"EnterExit": 0})
			c.Stack(100*ms, 1039, nil)
			c.State(100*ms, etltest.Established, etltest.Closed)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.Process.PID != 0 && t.Process.Source == model.OwnerConnect && t.Closer == model.Closer{})
		},
	},
	{name: "retransmit timeout", row: "4.3 row 8, 1046", want: abortiveByStack(model.CauseRetransmitTimeout, model.InitiatorNone), play: by(1046)},
	{name: "keepalive timeout", row: "4.3 row 8, 1047", want: abortiveByStack(model.CauseKeepaliveTimeout, model.InitiatorNone), play: by(1047)},
	{name: "zero window timeout", row: "4.3 row 8, 1200", want: abortiveByStack(model.CauseZeroWindowTimeout, model.InitiatorNone), play: by(1200)},
	{name: "system abort", row: "4.3 row 8, 1468", needs: 1468, want: abortiveByStack(model.CauseSystemAbort, model.InitiatorLocal), play: by(1468)},
	{name: "peer restarted", row: "4.3 row 8, 1185", want: abortiveByStack(model.CausePeerRestart, model.InitiatorUnknown), play: by(1185)},
	{
		name: "ended by NSI", row: "4.3 row 8, 1555", needs: 1555, play: by(1555),
		want: verdict{model.Abortive, model.CauseDestroyed, model.InitiatorLocal, model.Admin, model.Inferred},
	},
	{
		name: "FIN_WAIT2 timeout", row: "4.3 row 9",
		want: verdict{model.Graceful, model.CauseFinWait2Timeout, model.InitiatorLocal, model.LocalKernel, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.State(120*ms, etltest.FinWait1, etltest.FinWait2)
			c.Stack(120*sec, 1201, nil)
			c.State(120*sec, etltest.FinWait2, etltest.Closed)
		},
	},
	{
		name: "closed with no other event", row: "4.3 row 11", want: cutOff(model.InitiatorUnknown),
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.State(100*ms, etltest.Established, etltest.Closed)
		},
	},
	{
		name: "closed with no other event, our FIN not acknowledged", row: "4.3 row 11", want: cutOff(model.InitiatorLocal),
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.State(3*sec, etltest.FinWait1, etltest.Closed)
		},
	},
	{
		name: "closed with no other event, the peer's FIN not seen", row: "4.3 row 11", want: cutOff(model.InitiatorLocal),
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.FIN(100*ms, etltest.Established, etltest.FinWait1)
			c.State(120*ms, etltest.FinWait1, etltest.FinWait2, etltest.Closed)
		},
	},
	{
		name: "closed with no other event, after the peer's FIN", row: "4.3 row 11", want: cutOff(model.InitiatorPeer),
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.State(100*ms, etltest.Established, etltest.CloseWait, etltest.Closed)
		},
	},
	{
		name: "open before the trace, told by the rundown", row: "4.1: 1300 at enable", want: byUs,
		play: func(c *etltest.Conn) {
			c.Stack(0, 1300, etltest.Fields{"State": etltest.Established, "Pid": c.PID})
			graceful(c, 100*ms)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.TCP.Preexisting && t.StartTime == 0 && t.Process.Source == model.OwnerIterator)
		},
	},
	{
		name: "open before the trace, never told", row: "4.3 row 10", want: byUs,
		play: func(c *etltest.Conn) { graceful(c, 100*ms) },
		check: func(t *model.Teardown) string {
			return wrong(t.TCP.Preexisting && t.StartTime == 0)
		},
	},
}

// connects are attempts that failed.
var connects = []scenario{
	{name: "refused", row: "record.md: 1183", want: failed(model.CauseRefused, model.InitiatorPeer, model.Peer), play: attempt(1183, nil)},
	{name: "refused, by status", row: "record.md: 1034", want: failed(model.CauseRefused, model.InitiatorPeer, model.Peer), play: attempt(1034, etltest.Fields{"Status": etltest.StatusRefused})},
	{name: "never answered", row: "record.md: 1045", want: failed(model.CauseConnectTimeout, model.InitiatorNone, model.LocalKernel), play: attempt(1045, nil)},
	{name: "never answered, by status", row: "record.md: 1034", want: failed(model.CauseConnectTimeout, model.InitiatorNone, model.LocalKernel), play: attempt(1034, etltest.Fields{"Status": etltest.StatusTimeout})},
	{name: "unreachable", row: "record.md: unreachable", want: failed(model.CauseUnreachable, model.InitiatorNone, model.NetworkPath), play: attempt(1034, etltest.Fields{"Status": etltest.StatusUnreachable})},
	{
		name: "failed for a reason that is not known", row: "4.4: statuses are not verified", play: attempt(1034, etltest.Fields{"Status": uint32(etltest.StatusOther)}),
		want: verdict{model.FailedOpen, model.CauseUnknown, model.InitiatorNone, model.TerminatorUnknown, model.Inferred},
	},
	{
		name: "told afterwards only", row: "record.md: 1480", needs: 1480,
		want: verdict{model.FailedOpen, model.CauseRefused, model.InitiatorPeer, model.Peer, model.Inferred}, // its hour is not known
		play: func(c *etltest.Conn) {
			c.Stack(0, 1480, etltest.Fields{
				"Status": etltest.StatusRefused, "TcpState": etltest.SynSent, "ProcessId": c.PID,
				"Hour": 17, "Minute": 23, // when the trace begins
			})
		},
	},
	{
		name: "gave up without a word", row: "1.4: SynSent to Closed",
		want: verdict{model.FailedOpen, model.CauseUnknown, model.InitiatorNone, model.TerminatorUnknown, model.Inferred},
		play: func(c *etltest.Conn) {
			c.TCP(0, 1002, etltest.Fields{"NewState": etltest.SynSent})
			c.State(1*ms, etltest.Closed, etltest.SynSent)
			c.State(50*ms, etltest.SynSent, etltest.Closed)
		},
	},
}

func aborted(reason uint32) func(c *etltest.Conn) {
	return func(c *etltest.Conn) {
		c.Connect(0)
		c.Abort(100*ms, etltest.Established, reason)
	}
}

func by(id uint16) func(c *etltest.Conn) {
	return func(c *etltest.Conn) {
		c.Connect(0)
		c.Stack(100*ms, id, nil)
		c.State(101*ms, etltest.Established, etltest.Closed)
	}
}

func attempt(id uint16, fields etltest.Fields) func(c *etltest.Conn) {
	return func(c *etltest.Conn) {
		c.Create(0)
		c.TCP(1*ms, 1002, etltest.Fields{"NewState": etltest.SynSent})
		c.TCP(2*ms, 1051, etltest.Fields{"OldState": etltest.Closed, "NewState": etltest.SynSent})
		c.Stack(50*ms, id, fields)
		c.State(51*ms, etltest.SynSent, etltest.Closed)
	}
}
