//go:build linux

package tracer

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

const answeredAt = uint64(100 * time.Second)

// closedPair is both ends of a connection of which one closed and handed over to TIME_WAIT
// (tcp_time_wait), and the other received a RST a while later, in CLOSE_WAIT.
func closedPair() (closed, reset bpf.TraceEnd) {
	closed = bpf.TraceEnd{
		Family: unix.AF_INET, Local: [16]byte{10, 0, 0, 2}, Peer: [16]byte{10, 0, 0, 1}, LocalPort: 8080, PeerPort: 40000, Netns: 8, Sock: 1,
		Started: 1e9, Ended: answeredAt - 1e9, Path: states(model.Established, model.FinWait1, model.FinWait2, model.Closed),
		Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_PASSIVE | bpf.TraceFlagFLAG_DEAD, Last: uint8(model.FinWait2),
	}
	reset = closed
	reset.Local, reset.Peer, reset.LocalPort, reset.PeerPort, reset.Netns, reset.Sock = closed.Peer, closed.Local, 40000, 8080, 7, 2
	reset.Ended, reset.Path, reset.Last = answeredAt, states(model.Established, model.CloseWait, model.Closed), uint8(model.CloseWait)
	reset.Flags = bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_ACTIVE | bpf.TraceFlagFLAG_RST_RECEIVED
	reset.Error = uint8(unix.EPIPE)
	return closed, reset
}

func endMessage(e bpf.TraceEnd) *message {
	return &message{kind: bpf.TraceMessageMESSAGE_END, end: e}
}

// answerOf is the RST that the host of e sends when that has no full socket any more.
func answerOf(kind bpf.TraceMessage, e *bpf.TraceEnd, at uint64) *message {
	return &message{kind: kind, later: bpf.TraceLater{
		Family: e.Family, Local: e.Local, Peer: e.Peer, LocalPort: e.LocalPort, PeerPort: e.PeerPort, Netns: e.Netns, Time: at,
	}}
}

// judgedOf replays messages and returns the judgement of the end with that local port.
func judgedOf(t *testing.T, a *assembler, port uint16, messages ...*message) model.Judgement {
	t.Helper()
	for _, e := range replay(a, messages...) {
		if e.Kind == model.KindTeardown && e.Teardown.Network.Local.Port == port {
			return model.Classify(&e.Teardown.Facts)
		}
	}
	t.Fatal("the end was not reported")
	return model.Judgement{}
}

// TestResetAfterTheOtherEndClosed: a TIME_WAIT, or a host without the socket, is seen to send
// its RST; if none was, and all would have been seen, a firewall between both sent it.
func TestResetAfterTheOtherEndClosed(t *testing.T) {
	sent := answeredAt - 50_000
	for name, c := range map[string]struct {
		change func(a *assembler, closed, reset *bpf.TraceEnd)
		answer bpf.TraceMessage // 0: none
		want   model.Terminator
		sure   model.Confidence
	}{
		"nobody sent it":          {want: model.NetworkPath, sure: model.Inferred},
		"TIME_WAIT did":           {answer: bpf.TraceMessageMESSAGE_RESET_TW, want: model.Peer, sure: model.Certain},
		"a host without it did":   {answer: bpf.TraceMessageMESSAGE_STRAY, want: model.Peer, sure: model.Certain},
		"one sent none, received": {answer: bpf.TraceMessageMESSAGE_RESET_GOT_TW, want: model.NetworkPath, sure: model.Inferred},
		"they are not seen": {
			func(a *assembler, _, _ *bpf.TraceEnd) { a.answers.watched = false }, 0, model.Peer, model.Certain,
		},
		"some were only counted": {
			func(a *assembler, _, _ *bpf.TraceEnd) { a.strayBeyond(1, ktime(sent)) }, 0, model.Peer, model.Certain,
		},
		"some were lost": {
			func(_ *assembler, _, reset *bpf.TraceEnd) { reset.Lost = 3 }, 0, model.Peer, model.Inferred, // a gap
		},
		"its port may be in use again": {
			func(_ *assembler, closed, _ *bpf.TraceEnd) {
				closed.Ended = answeredAt - uint64(timeWaitFor+time.Second)
			}, 0, model.Peer, model.Inferred,
		},
		"it sent one itself": {
			func(_ *assembler, closed, _ *bpf.TraceEnd) { closed.Flags |= bpf.TraceFlagFLAG_RST_REPLY_AFTER }, 0, model.Peer, model.Certain,
		},
		"addresses are translated": {
			func(_ *assembler, closed, _ *bpf.TraceEnd) { closed.Local[3] = 77 }, 0, model.Peer, model.Certain,
		},
	} {
		t.Run(name, func(t *testing.T) {
			closed, reset := closedPair()
			a := newAssembler(translator{}, "s")
			a.answers.watched = true
			if c.change != nil {
				c.change(a, &closed, &reset)
			}
			messages := []*message{endMessage(closed)}
			if c.answer != 0 {
				messages = append(messages, answerOf(c.answer, &closed, sent))
			}
			j := judgedOf(t, a, 40000, append(messages, endMessage(reset))...)
			if j.Terminator != c.want || j.Confidence != c.sure || j.Cause != model.CausePeerReset {
				t.Errorf("judged %+v", j)
			}
		})
	}
}

// attempt is one that was refused, and its server, had it accepted.
func attempt(local, peer byte, netns uint32) (refused, server bpf.TraceEnd) {
	refused = bpf.TraceEnd{
		Family: unix.AF_INET, Local: [16]byte{10, 0, 0, local}, Peer: [16]byte{10, 0, 0, peer}, LocalPort: 40001, PeerPort: 8080, Netns: netns, Sock: 9,
		Started: answeredAt, Ended: answeredAt + 50_000, Path: states(model.SynSent, model.Closed), Last: uint8(model.SynSent),
		Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_ACTIVE | bpf.TraceFlagFLAG_RST_RECEIVED, Error: uint8(unix.ECONNREFUSED),
	}
	server = refused
	server.Local, server.Peer, server.LocalPort, server.PeerPort = refused.Peer, refused.Local, 8080, 40001
	return refused, server
}

// TestRefusedByNobody: the kernel that refuses an attempt is seen to, where it is on this
// host; else a firewall may have answered.
func TestRefusedByNobody(t *testing.T) {
	closed, reset := closedPair() // which show that 10.0.0.2 is here
	met := []*message{endMessage(closed), endMessage(reset)}
	sent := answeredAt + 20_000
	for name, c := range map[string]struct {
		peer     byte
		before   []*message
		answered func(server *bpf.TraceEnd) *message // nil: by nobody
		want     model.Confidence
	}{
		"loopback, by nobody":         {peer: 1, want: model.Inferred},
		"loopback, by the kernel":     {peer: 1, answered: func(s *bpf.TraceEnd) *message { return answerOf(bpf.TraceMessageMESSAGE_STRAY, s, sent) }, want: model.Certain},
		"elsewhere":                   {peer: 3, want: model.Certain},
		"elsewhere, after others":     {peer: 3, before: met, want: model.Certain},
		"another namespace, nobody":   {peer: 2, before: met, want: model.Inferred},
		"another namespace, not seen": {peer: 2, want: model.Certain},
		"another namespace, by it": {peer: 2, before: met, answered: func(s *bpf.TraceEnd) *message {
			s.Netns = 8
			return answerOf(bpf.TraceMessageMESSAGE_STRAY, s, sent)
		}, want: model.Certain},
		"translated to another port and address": {peer: 1, answered: func(s *bpf.TraceEnd) *message {
			s.Local[3], s.LocalPort, s.Netns = 99, 80, 12
			return answerOf(bpf.TraceMessageMESSAGE_STRAY, s, sent)
		}, want: model.Certain},
		"by the kernel long before": {peer: 1, answered: func(s *bpf.TraceEnd) *message {
			return answerOf(bpf.TraceMessageMESSAGE_STRAY, s, answeredAt-uint64(time.Second))
		}, want: model.Inferred},
		"a TIME_WAIT has its ports": {peer: 1, before: []*message{endMessage(timeWaitOf(1))}, want: model.Certain},
	} {
		t.Run(name, func(t *testing.T) {
			refused, server := attempt(1, c.peer, 7)
			a := newAssembler(translator{}, "s")
			a.answers.watched = true
			for _, m := range c.before {
				a.message(m, func(*model.Event) bool { return true })
			}
			a.advance(ktime(answeredAt+uint64(2*hold)), 0, func(*model.Event) bool { return true })
			messages := []*message{endMessage(refused)}
			if c.answered != nil {
				messages = []*message{c.answered(&server), endMessage(refused)}
			}
			if j := judgedOf(t, a, 40001, messages...); j.Confidence != c.want || j.Cause != model.CauseRefused || j.Terminator != model.Peer {
				t.Errorf("judged %+v", j)
			}
		})
	}
}

// timeWaitOf is the server's end of an earlier connection with the attempt's ports.
func timeWaitOf(peer byte) bpf.TraceEnd {
	_, e := attempt(1, peer, 7)
	closed, _ := closedPair()
	e.Started, e.Ended, e.Path, e.Last, e.Flags, e.Error = closed.Started, closed.Ended, closed.Path, closed.Last, closed.Flags, 0
	return e
}

// TestAnswersAreBounded: nothing is said of a time of which not all is remembered.
func TestAnswersAreBounded(t *testing.T) {
	s := newAnswers()
	s.watched = true
	var l bpf.TraceLater
	for n := range uint64(answersMax) + 10 {
		l.Time = answeredAt + n*1e6
		s.add(&l)
	}
	end := ktime(l.Time)
	never := func(tuple) bool { return false }
	if s.none(ktime(answeredAt).add(-time.Second), end, never) {
		t.Error("what is forgotten is said not to have been")
	}
	if !s.none(end.add(-300*time.Millisecond), end, never) {
		t.Error("what is remembered is not known")
	}
}
