package join

import (
	"fmt"
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
	local, peer := c.Local.Addr().As4(), c.Peer.Addr().As4()
	port := func(n uint16) []byte { return []byte{byte(n >> 8), byte(n)} }
	c.Add(at, c.PID, c.TID, raw.KernelNetwork, 13, etltest.Fields{
		"PID": c.PID, "saddr": local[:], "daddr": peer[:], "sport": port(c.Local.Port()), "dport": port(c.Peer.Port()),
	})
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
