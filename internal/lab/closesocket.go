package lab

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// closing is one way to call closesocket: the lines of the table in
// docs/windows.md. On Windows they are the scenarios of the lab; what they mean
// is here, so that it is tested everywhere.
type closing struct {
	name, group string
	quick       bool
	// linger is SO_LINGER {1, seconds}; nonblocking is FIONBIO.
	linger      bool
	seconds     int
	nonblocking bool
	// pending: more was sent than fits, because the peer does not read; drains:
	// it begins to read while closesocket may wait. unread: what the peer sent
	// was not read.
	pending, drains, unread bool
	// half: shutdown(SD_SEND) comes first. refused: there is no listener. exits:
	// the socket is another process's, which exits without closesocket.
	half, refused, exits bool
}

// closings are the lines of the table, and the other ends that closesocket and
// connect can make on one machine.
var closings = []closing{
	{name: "linger-off", group: "closesocket", quick: true},
	{name: "linger-off-pending", group: "closesocket", pending: true},
	{name: "linger-off-nonblocking", group: "closesocket", nonblocking: true, pending: true},
	{name: "linger-zero", group: "closesocket", quick: true, linger: true},
	{name: "linger-zero-pending", group: "closesocket", linger: true, pending: true},
	{name: "linger-zero-nonblocking", group: "closesocket", linger: true, nonblocking: true},
	{name: "linger-drained", group: "closesocket", quick: true, linger: true, seconds: 5, pending: true, drains: true},
	{name: "linger-expired", group: "closesocket", quick: true, linger: true, seconds: 1, pending: true},
	{name: "linger-would-block", group: "closesocket", quick: true, linger: true, seconds: 5, nonblocking: true, pending: true},
	{name: "unread-data", group: "unread", quick: true, unread: true},
	{name: "shutdown-first", group: "graceful", quick: true, half: true},
	{name: "process-exit", group: "exit", exits: true},
	{name: "refused", group: "connect", quick: true, refused: true},
}

// witnessed is what the calls returned: the truth of a closing.
type witnessed struct {
	// failed is the error of the first closesocket, if it had one. Then SO_LINGER
	// was set to {1, 0} and closesocket called again.
	failed string
	// took is how long the closesocket that succeeded took.
	took time.Duration
	// peer is the error with which the peer's reading ended; none is the end of
	// the stream.
	peer string
	// connect is the error of connect, for refused.
	connect string
}

// clockTick is how early Windows' clock may let a wait end.
const clockTick = 16 * time.Millisecond

// atOnce is the longest that a closesocket takes that does not wait, on a busy
// machine.
const atOnce = 500 * time.Millisecond

const (
	wouldBlock = "WSAEWOULDBLOCK"
	wasReset   = "WSAECONNRESET"
	wasRefused = "WSAECONNREFUSED"
)

// differs says what the system did otherwise than closesocket's documentation
// has it (Winsock reference, closesocket, table of SO_LINGER; and for unread
// data the reason that AFD has for it).
func (c *closing) differs(w *witnessed) string {
	limit := time.Duration(c.seconds) * time.Second
	hard := c.linger && (c.seconds == 0 || c.nonblocking || c.pending && !c.drains) || c.unread
	switch {
	case c.refused && w.connect != wasRefused:
		return "connect returned " + or(w.connect) + ", not " + wasRefused
	case c.refused, c.exits: // what becomes of an exiting process's sockets is not documented
		return ""
	case c.linger && c.seconds > 0 && c.nonblocking && w.failed != wouldBlock:
		return "closesocket returned " + or(w.failed) + ", not " + wouldBlock
	case hard && w.peer != wasReset:
		return "the peer read " + or(w.peer) + ", not " + wasReset
	case !hard && w.peer != "":
		return "the peer read " + w.peer + ", not the end of the stream"
	case c.waits() && !c.drains && w.took < limit-clockTick:
		return fmt.Sprintf("closesocket returned after %v, not %v", w.took, limit)
	case !c.waits() && w.took > atOnce, c.drains && w.took >= limit:
		return fmt.Sprintf("closesocket took %v", w.took)
	default:
		return ""
	}
}

// waits: SO_LINGER {1,N} on a blocking socket that has something to send.
func (c *closing) waits() bool { return c.linger && c.seconds > 0 && !c.nonblocking && c.pending }

func or(failure string) string {
	if failure == "" {
		return "no error"
	}
	return failure
}

// truths concludes from what the calls returned how both ends ended. A system that
// does otherwise than documented is judged by what it did.
func (c *closing) truths(w *witnessed) (own, peer Truth) {
	if c.refused {
		return Truth{
			Verdict: model.FailedOpen, Cause: model.CauseRefused,
			Initiator: model.InitiatorPeer, Terminator: model.Peer, Role: model.Active,
		}, Truth{}
	}
	own = Truth{Initiator: model.InitiatorLocal, Terminator: model.LocalApp, Role: model.Active, Call: model.CallClose}
	peer = Truth{Initiator: model.InitiatorPeer, Terminator: model.Peer, Role: model.Passive}
	if c.exits {
		own.Call = model.CallExit
	}
	if w.peer != wasReset {
		own.Verdict, own.Cause = model.Graceful, model.CauseFIN
		peer.Verdict, peer.Cause = model.Graceful, model.CauseFIN
		if c.waits() {
			own.Linger, own.Blocked = model.LingerDrained, model.Some(w.took)
		}
		return own, peer
	}
	own.Verdict, peer.Verdict, peer.Cause = model.Abortive, model.Abortive, model.CausePeerReset
	switch {
	case c.unread:
		own.Cause = model.CauseUnreadData
	case c.exits:
		own.Cause = model.CauseLocalAbort
	case c.linger && (c.seconds == 0 || w.failed != ""):
		own.Cause = model.CauseLingerZero
	case c.waits() && w.took >= time.Duration(c.seconds)*time.Second-clockTick:
		own.Verdict, own.Cause = model.LingerTimeout, model.CauseLingerExpired
		own.Linger, own.Blocked = model.LingerExpired, model.Some(w.took)
	}
	return own, peer
}

// result is the closing as a scenario's result; pid is the process of the local
// end, peerPID that of its peer's.
func (c *closing) result(w *witnessed, local, peer netip.AddrPort, pid, peerPID int) Result {
	own, other := c.truths(w)
	own.Owner, other.Owner = Party{PID: pid}, Party{PID: peerPID}
	r := Result{Name: c.name, Group: c.group, Differs: c.differs(w)}
	r.Ends = []End{{Label: "a", Local: local, Peer: peer, Truth: own}}
	if c.refused {
		r.Calls = []Call{{Actor: "a", Name: "connect", Error: w.connect}}
		return r
	}
	r.Ends[0].Truth.Closer = Party{PID: pid}
	r.Ends = append(r.Ends, End{Label: "b", Local: peer, Peer: local, Truth: other})
	if w.failed != "" {
		r.Calls = append(r.Calls, Call{Actor: "a", Name: closesocket, Error: w.failed})
	}
	last := Call{Actor: "a", Name: closesocket, Took: w.took}
	if c.exits {
		last.Name = "exit"
	}
	r.Calls = append(r.Calls, last, Call{Actor: "b", Name: "recv", Error: w.peer})
	return r
}

// closesocket is the call of which a failure has a record of its own.
const closesocket = "closesocket"

// Untold takes out of the truths what Windows before 11 does not report, which
// has no provider of the socket calls: SO_LINGER and the calls that failed.
func Untold(results []Result) {
	for i := range results {
		r := &results[i]
		for j := range r.Ends {
			t := &r.Ends[j].Truth
			t.Linger, t.Blocked, t.Call = model.LingerUnknown, model.Opt[time.Duration]{}, model.CallUnknown
			if t.Cause == model.CauseLingerZero || t.Cause == model.CauseLingerExpired {
				t.Verdict, t.Cause = model.Abortive, model.CauseLocalAbort
			}
		}
		for j := range r.Calls {
			r.Calls[j].Untold = r.Calls[j].Name == closesocket
		}
	}
}
