package lab

import "github.com/closetrace/closetrace/model"

// The usual truths. A script changes what is special in its case.

var (
	yes = model.Some(true)
	no  = model.Some(false)

	bothFIN = model.FIN{Sent: yes, Received: yes}
	sentFIN = model.FIN{Sent: yes, Received: no}
	gotFIN  = model.FIN{Sent: no, Received: yes}
	mayFIN  = model.FIN{Received: no} // see stage.fillFromWire
	noFIN   = model.FIN{Sent: no, Received: no}
	sentRST = model.RST{Sent: yes, Received: no}
	gotRST  = model.RST{Sent: no, Received: yes}
	noRST   = model.RST{Sent: no, Received: no}
)

// finActive: this end closed first, and the peer followed.
func finActive(call model.Call) Truth {
	return Truth{
		Verdict: model.Graceful, Cause: model.CauseFIN,
		Initiator: model.InitiatorLocal, Terminator: model.LocalApp,
		From: model.FinWait2, FIN: bothFIN, RST: noRST, Call: call,
	}
}

// finPassive: the peer closed first, and this end followed.
func finPassive(call model.Call) Truth {
	return Truth{
		Verdict: model.Graceful, Cause: model.CauseFIN,
		Initiator: model.InitiatorPeer, Terminator: model.Peer,
		From: model.LastAck, FIN: bothFIN, RST: noRST, Call: call,
	}
}

// aborted: this application's call sent a RST while the connection was open.
func aborted(cause model.Cause, call model.Call) Truth {
	return Truth{
		Verdict: model.Abortive, Cause: cause,
		Initiator: model.InitiatorLocal, Terminator: model.LocalApp,
		From: model.Established, FIN: noFIN, RST: sentRST, Call: call,
	}
}

// peerReset: a RST came while the connection was open.
func peerReset() Truth {
	return Truth{
		Verdict: model.Abortive, Cause: model.CausePeerReset,
		Initiator: model.InitiatorPeer, Terminator: model.Peer,
		From: model.Established, FIN: noFIN, RST: gotRST,
	}
}

// timedOut: the kernel gave up on the peer and said nothing.
func timedOut(cause model.Cause) Truth {
	return Truth{
		Verdict: model.Abortive, Cause: cause,
		Initiator: model.InitiatorNone, Terminator: model.LocalKernel,
		From: model.Established, FIN: noFIN, RST: noRST,
	}
}

// failedOpen: never connected.
func failedOpen(cause model.Cause, initiator model.Initiator, terminator model.Terminator) Truth {
	return Truth{
		Verdict: model.FailedOpen, Cause: cause, Initiator: initiator, Terminator: terminator,
		From: model.SynSent, FIN: noFIN, RST: noRST,
	}
}

// vanished: closed in TCP_REPAIR mode, how scripts get rid of an end unseen.
func vanished() Truth {
	return Truth{
		Verdict: model.Silent, Cause: model.CauseTCPRepair,
		Initiator: model.InitiatorNone, Terminator: model.LocalApp,
		From: model.Established, FIN: noFIN, RST: noRST, Call: model.CallClose,
	}
}

// from returns t with another last state and FIN.
func (t Truth) from(state model.State, fin model.FIN) Truth {
	t.From, t.FIN = state, fin
	return t
}

// by returns t with the call that ended this side.
func (t Truth) by(call model.Call) Truth {
	t.Call = call
	return t
}

// silently returns t without a RST.
func (t Truth) silently() Truth {
	t.RST = noRST
	return t
}

// first returns t with another initiator.
func (t Truth) first(i model.Initiator) Truth {
	t.Initiator = i
	return t
}

// between returns t with a RST that neither end sent.
func (t Truth) between() Truth {
	t.Between = true
	return t
}

// unread returns t with that many received bytes thrown away.
func (t Truth) unread(n uint64) Truth {
	t.Unread = model.Some(n)
	return t
}

// unacked returns t with that many bytes never acknowledged.
func (t Truth) unacked(n uint64) Truth {
	t.Unacked = model.Some(n)
	return t
}

// forked returns t with a child that serves what its parent has accepted.
func (t Truth) forked(child, acceptor *sock) Truth {
	t.Owner, t.Acceptor = child.party(), acceptor.owner
	return t
}

// lingered returns t with a close() that waited.
func (t Truth) lingered(outcome model.LingerOutcome, closed reply) Truth {
	t.Linger, t.Blocked, t.Late = outcome, model.Some(closed.Took), closed.Late
	return t
}

// signalled returns t with a closer that a signal killed.
func (t Truth) signalled(signal int) Truth {
	t.Call, t.Signal = model.CallExit, signal
	return t
}

// expired is a linger-timeout whose orphan ended as after says. What the
// orphan did is in the outcome only.
func (after Truth) expired(closed reply) Truth {
	t := Truth{
		Verdict: model.LingerTimeout, Cause: model.CauseLingerExpired,
		Initiator: after.Initiator, Terminator: model.LocalApp,
		Call: model.CallClose,
	}.lingered(model.LingerExpired, closed)
	after.Call = model.CallUnknown
	t.Outcome = &after
	return t
}
