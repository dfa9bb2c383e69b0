package etwsrc

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/model"
)

// verdict is what a scenario must be judged.
type verdict struct {
	verdict    model.Verdict
	cause      model.Cause
	initiator  model.Initiator
	terminator model.Terminator
	confidence model.Confidence
}

// scenario is one way of a connection to end. The verdicts come from the
// closesocket table of docs/record.md and from docs/etw.md section 4.3, of
// which row says the line.
type scenario struct {
	name string
	row  string
	play func(c *etltest.Conn)
	// want is the verdict with all providers, less the one without
	// Winsock-Sockets (before Windows 11); nil is the same.
	want verdict
	less *verdict
	// check looks at the facts where all providers are there.
	check func(t *model.Teardown) string
	// needs is an event that the release must have.
	needs uint16
}

const (
	ms  = time.Millisecond
	sec = time.Second
)

var (
	byUs       = verdict{model.Graceful, model.CauseFIN, model.InitiatorLocal, model.LocalApp, model.Certain}
	byPeer     = verdict{model.Graceful, model.CauseFIN, model.InitiatorPeer, model.Peer, model.Certain}
	localAbort = verdict{model.Abortive, model.CauseLocalAbort, model.InitiatorLocal, model.LocalApp, model.Inferred}
	unread     = verdict{model.Abortive, model.CauseUnreadData, model.InitiatorLocal, model.LocalApp, model.Certain}
	reset      = verdict{model.Abortive, model.CausePeerReset, model.InitiatorPeer, model.Peer, model.Certain}
	unknown    = verdict{model.VerdictUnknown, model.CauseUnknown, model.InitiatorUnknown, model.TerminatorUnknown, model.Inferred}
)

func abortiveByStack(cause model.Cause, initiator model.Initiator) verdict {
	return verdict{model.Abortive, cause, initiator, model.LocalKernel, model.Certain}
}

func cutOff(initiator model.Initiator) verdict {
	return verdict{model.Abortive, model.CauseUnknown, initiator, model.TerminatorUnknown, model.Inferred}
}

func failed(cause model.Cause, initiator model.Initiator, terminator model.Terminator) verdict {
	return verdict{model.FailedOpen, cause, initiator, terminator, model.Certain}
}

// graceful plays the rest of an active close.
func graceful(c *etltest.Conn, at time.Duration) {
	c.FIN(at, etltest.Established, etltest.FinWait1)
	c.State(at+20*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
}

var closes = []scenario{
	{
		name: "SO_LINGER off: closed in the background", row: "closesocket 1, 4.3 row 10", want: byUs,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.EnterClose(100 * ms)
			c.FIN(101*ms, etltest.Established, etltest.FinWait1)
			c.LeaveClose(103*ms, 0)
			c.State(150*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
			c.State(30*sec, etltest.TimeWait, etltest.Closed)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.Linger.On.Is(false) && t.LingerOutcome == model.LingerUnknown && !t.CloseBlocked.Known() &&
				t.Closer.Call == model.CallClose && t.TCP.TimeWait.Is(true) && t.TCP.Role == model.Active &&
				t.Process.Source == model.OwnerConnect && t.StartTime != 0 && !t.TCP.Preexisting && t.Evidence.FirstFIN != 0)
		},
	},
	{
		name: "SO_LINGER {1,0}: hard", row: "closesocket 2, 4.3 row 4", less: &localAbort,
		want: verdict{model.Abortive, model.CauseLingerZero, model.InitiatorLocal, model.LocalApp, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 0)
			c.EnterClose(100 * ms)
			c.Abort(101*ms, etltest.Established, 2)
			c.LeaveClose(103*ms, 0)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.Linger.On.Is(true) && t.Linger.Seconds.Is(0) && t.TCP.TimeWait.Is(false) &&
				t.Evidence.AbortReason == model.AbortRequested && t.Evidence.AbortInClose.Is(true) && t.TCP.FIN.Sent.Is(false))
		},
	},
	{
		name: "SO_LINGER {1,5}, blocking, sent in time", row: "closesocket 3, 4.3 row 10", want: byUs,
		play: func(c *etltest.Conn) {
			c.Accept(0)
			c.Linger(50*ms, 1, 5)
			c.EnterClose(100 * ms)
			graceful(c, 400*ms)
			c.LeaveClose(440*ms, 0)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.Linger.Seconds.Is(5) && t.LingerOutcome == model.LingerDrained && t.CloseBlocked.Is(340*ms) &&
				t.Process.Source == model.OwnerAccept && t.TCP.Role == model.Passive)
		},
	},
	{
		name: "SO_LINGER {1,2}, blocking, not sent in time", row: "closesocket 3, 4.3 row 3", less: &localAbort,
		want: verdict{model.LingerTimeout, model.CauseLingerExpired, model.InitiatorLocal, model.LocalApp, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 2)
			c.EnterClose(100 * ms)
			c.Abort(2101*ms, etltest.Established, 2)
			c.LeaveClose(2103*ms, 0)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.LingerOutcome == model.LingerExpired && t.CloseBlocked.Is(2003*ms) && t.TCP.TimeWait.Is(false))
		},
	},
	{
		name: "SO_LINGER {1,2}, the abort one clock tick early", row: "4.3 row 3: minus 1 tick, 16 ms", less: &localAbort,
		want: verdict{model.LingerTimeout, model.CauseLingerExpired, model.InitiatorLocal, model.LocalApp, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 2)
			c.EnterClose(100 * ms)
			c.Abort(2083*ms, etltest.Established, 2)
			c.LeaveClose(2085*ms, 0)
		},
	},
	{
		name: "SO_LINGER {1,2}, aborted by a worker thread just after", row: "4.4: fall back to the same socket and 250 ms", less: &localAbort,
		want: verdict{model.LingerTimeout, model.CauseLingerExpired, model.InitiatorLocal, model.LocalApp, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 2)
			c.EnterClose(100 * ms)
			c.LeaveClose(2103*ms, 0)
			c.TID += 1000
			c.Abort(2120*ms, etltest.Established, 2)
		},
	},
	{
		name: "SO_LINGER {1,5} and an abort long before the time", row: "4.3 rows 3 and 7", want: localAbort,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 5)
			c.EnterClose(100 * ms)
			c.Abort(300*ms, etltest.Established, 2)
			c.LeaveClose(302*ms, 0)
		},
	},
	{
		name: "SO_LINGER {1,5} and the peer's RST while waiting", row: "4.3 row 2", want: reset,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 5)
			c.EnterClose(100 * ms)
			c.Stack(300*ms, 1184, nil)
			c.State(300*ms, etltest.Established, etltest.Closed)
			c.LeaveClose(302*ms, 0)
		},
		check: func(t *model.Teardown) string {
			return wrong(t.LingerOutcome == model.LingerReset && t.TCP.RST.Received.Is(true))
		},
	},
	{
		name: "SO_LINGER {1,0} set and taken back with SO_DONTLINGER", row: "closesocket 1", want: byUs,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 0)
			c.Call(60*ms, 8, etltest.Fields{"Level": 0xFFFF, "OptName": uint32(0xFFFFFF7F), "OptVal": []byte{1, 0, 0, 0}})
			c.EnterClose(100 * ms)
			graceful(c, 101*ms)
			c.LeaveClose(103*ms, 0)
		},
		check: func(t *model.Teardown) string { return wrong(t.Linger.On.Is(false)) },
	},
	{
		name: "SO_LINGER {1,0}, begin of closesocket not traced (level 4)", row: "4.3 row 4", less: &localAbort,
		want: verdict{model.Abortive, model.CauseLingerZero, model.InitiatorLocal, model.LocalApp, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 0)
			c.Abort(101*ms, etltest.Established, 2)
			c.LeaveClose(103*ms, 0)
		},
	},
	{
		name: "SO_LINGER {1,2} ran out, begin of closesocket not traced (level 4)", row: "4.3 row 7: the wait is not known", want: localAbort,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 2)
			c.Abort(2101*ms, etltest.Established, 2)
			c.LeaveClose(2103*ms, 0)
		},
	},
	{
		name: "SO_LINGER {1,0}, the abort told by AFD only", row: "4.3 row 4: 1039/1040 or 1032 reason 2", less: &localAbort,
		want: verdict{model.Abortive, model.CauseLingerZero, model.InitiatorLocal, model.LocalApp, model.Certain},
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.Linger(50*ms, 1, 0)
			c.EnterClose(100 * ms)
			c.AFD(101*ms, 1032, etltest.Fields{"EnterExit": 2, "Reason": 2})
			c.State(102*ms, etltest.Established, etltest.Closed)
			c.LeaveClose(103*ms, 0)
		},
	},
	{
		name: "unread data, the abort told as in old Windows", row: "2.1: event 7; 4.3 row 6", want: unread,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.AFD(100*ms, 7, etltest.Fields{"Reason": 7})
			c.TCP(100*ms, 1039, nil)
			c.State(101*ms, etltest.Established, etltest.Closed)
		},
	},
	{
		name: "unread data in closesocket", row: "4.3 row 6", want: unread,
		play: func(c *etltest.Conn) {
			c.Connect(0)
			c.EnterClose(100 * ms)
			c.Abort(101*ms, etltest.Established, 7)
			c.LeaveClose(103*ms, 0)
		},
	},
}

// wrong is a check's answer.
func wrong(ok bool) string {
	if ok {
		return ""
	}
	return "a fact is wrong"
}

func endpoint(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
