package summary

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Talk is a process and whom it talked to. Port is the peer's of a connection
// that the process opened, and its own of one that it accepted.
type Talk struct {
	Process string
	Peer    netip.Addr
	Port    uint16
	Role    model.Role
}

// counted is what was counted for one connection end, so that an outcome can amend it.
type counted struct {
	process         string
	peer            netip.Addr
	time            model.Time
	sent, received  uint64
	unacked, unread uint64
	blocked         time.Duration // -1 is not known
	port            uint16
	role            model.Role
	verdict         model.Verdict
	cause           model.Cause
	doer            model.Doer
	inferred        bool
}

func countedOf(t *model.Teardown) counted {
	e := counted{
		process: processOf(&t.Process), peer: t.Network.Peer.Address, time: t.Time, blocked: t.CloseBlocked.Or(-1),
		verdict: t.Verdict, cause: t.Cause, doer: t.Terminator.Doer(), inferred: t.Confidence == model.Inferred,
	}
	e.role, e.port = service(t)
	e.count(&t.TCP.Bytes)
	return e
}

// processOf is the process's name; a Windows trace has only its number.
func processOf(p *model.Process) string {
	if p.Name == "" && p.PID != 0 {
		return "pid " + strconv.Itoa(p.PID)
	}
	return short(p.Name)
}

// count takes over the bytes that are known.
func (e *counted) count(b *model.Bytes) {
	e.sent, e.received = b.Sent.Or(e.sent), b.Received.Or(e.received)
	e.unacked, e.unread = b.Unacked.Or(e.unacked), b.Unread.Or(e.unread)
}

func (e *counted) lost() uint64 { return e.unacked + e.unread }

func (e *counted) moved() uint64 { return e.sent + e.received }

// amend is [model.Teardown.Amend] for what is counted.
func (e *counted) amend(r *model.Record) {
	t := &r.Teardown
	if r.Overrules() {
		e.verdict, e.cause, e.doer, e.inferred = t.Verdict, t.Cause, t.Terminator.Doer(), t.Confidence == model.Inferred
		if r.Retracts || t.CloseBlocked.Known() {
			e.blocked = t.CloseBlocked.Or(-1)
		}
	}
	e.count(&t.TCP.Bytes)
}

func (e *counted) aborted() bool {
	return e.verdict == model.Abortive || e.verdict == model.LingerTimeout
}

func (e *counted) talk() Talk {
	return Talk{Process: e.process, Peer: e.peer, Port: e.port, Role: e.role}
}

// service returns the role of an end, and the port that names the service: of the
// end that connected it is another one each time.
func service(t *model.Teardown) (model.Role, uint16) {
	local, peer := t.Network.Local.Port, t.Network.Peer.Port
	role := t.TCP.Role
	if role == model.RoleUnknown {
		// The end that connected has the ephemeral port, which is the higher one.
		role = model.Active
		if local < peer {
			role = model.Passive
		}
	}
	if role == model.Passive {
		return role, local
	}
	return role, peer
}
