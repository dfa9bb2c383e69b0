//go:build linux

package servers_test

import (
	"fmt"
	"slices"

	"github.com/closetrace/closetrace/model"
)

// meaning is what docs/record.md says of a cause.
var meaning = map[model.Cause]struct {
	verdict    model.Verdict
	terminator model.Terminator // unknown: whoever closed first
}{
	model.CauseFIN:               {model.Graceful, model.TerminatorUnknown},
	model.CauseUnreadData:        {model.Abortive, model.LocalApp},
	model.CauseLingerZero:        {model.Abortive, model.LocalApp},
	model.CauseListenerClosed:    {model.Abortive, model.LocalApp},
	model.CauseDataAfterClose:    {model.Abortive, model.LocalKernel},
	model.CauseDataAfterShutdown: {model.Abortive, model.LocalKernel},
	model.CausePeerReset:         {model.Abortive, model.Peer},
	model.CauseRefused:           {model.FailedOpen, model.Peer},
	model.CauseTCPRepair:         {model.Silent, model.LocalApp},
}

// mismatches collects what is wrong with a record.
type mismatches []string

func expect[T comparable](m *mismatches, what string, got, want T) {
	if got != want {
		*m = append(*m, fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
}

// initiator is who sent the first FIN or RST, by the capture.
func (e expectation) initiator() model.Initiator {
	switch {
	case e.end.first != model.InitiatorUnknown:
		return e.end.first
	case e.crossed:
		return model.InitiatorBoth
	case e.wire[0] == e.side+" FIN", e.wire[0] == e.side+" RST":
		return model.InitiatorLocal
	default:
		return model.InitiatorPeer
	}
}

func (e expectation) verdict(got *model.Teardown) (m mismatches) {
	known := meaning[e.end.cause]
	terminator := known.terminator
	if terminator == model.TerminatorUnknown {
		terminator = model.LocalApp
		if e.initiator() == model.InitiatorPeer {
			terminator = model.Peer
		}
	}
	expect(&m, "verdict", got.Verdict, known.verdict)
	expect(&m, "cause", got.Cause, e.end.cause)
	expect(&m, "initiator", got.Initiator, e.initiator())
	expect(&m, "terminator", got.Terminator, terminator)
	if known.verdict != model.Graceful {
		expect(&m, "confidence", got.Confidence, model.Certain)
	}
	if e.end.cause == model.CauseUnreadData {
		expect(&m, "unread data", got.TCP.Bytes.Unread.Or(0) > 0, true)
	}
	return m
}

// wireFacts compares what the record says of FIN and RST with the capture.
// What a record does not know is absent and can't be wrong.
func (e expectation) wireFacts(got *model.Teardown) (m mismatches) {
	saw := func(token string) bool { return slices.Contains(e.wire, token) }
	known := func(what string, got model.Opt[bool], want bool) {
		if v, ok := got.Get(); ok {
			expect(&m, what, v, want)
		}
	}
	known("fin.sent", got.TCP.FIN.Sent, saw(e.side+" FIN"))
	known("rst.sent", got.TCP.RST.Sent, saw(e.side+" RST") && !e.end.afterRST)
	known("fin.received", got.TCP.FIN.Received, saw(e.other+" FIN") && !e.end.unheard)
	known("rst.received", got.TCP.RST.Received, saw(e.other+" RST") && !e.end.unheard)
	return m
}

// processes compares pids and names. The listener's process may be named in
// the owner's place only if the record says so, and not where every hook is
// attached; then each owner must be known from the begin.
func (e expectation) processes(got *model.Teardown, complete bool) (m mismatches) {
	p := &got.Process
	owner := e.party.pid
	if p.Source == model.OwnerListener && e.party.listener != 0 {
		owner = e.party.listener
	}
	if p.PID != 0 || complete {
		expect(&m, "pid", p.PID, owner)
		expect(&m, "name", p.Name, e.party.name)
	}
	if complete {
		expect(&m, "source "+p.Source.String(), slices.Contains(e.sources(), p.Source), true)
	}
	expect(&m, "call", got.Closer.Call, e.end.call)
	expect(&m, "signal", got.Closer.Signal, e.end.signal)
	if e.end.call != model.CallUnknown {
		expect(&m, "closer's pid", got.Closer.PID, e.party.pid)
		expect(&m, "closer's name", got.Closer.Name, e.party.name)
	}
	return m
}

// sources are the good ways to learn of an owner.
func (e expectation) sources() []model.OwnerSource {
	switch {
	case e.side == "client":
		return []model.OwnerSource{model.OwnerConnect}
	case e.party.neverAccepted:
		return []model.OwnerSource{model.OwnerListener}
	default:
		return []model.OwnerSource{model.OwnerAccept, model.OwnerUse}
	}
}
