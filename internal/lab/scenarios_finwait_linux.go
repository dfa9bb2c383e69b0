package lab

import (
	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

// finWaitScenarios: this end has closed and waits for the other to follow.
func finWaitScenarios() []Scenario {
	linger2 := aborted(model.CauseLinger2Timeout, model.CallClose).from(model.FinWait2, sentFIN)
	linger2.Terminator = model.LocalKernel
	return []Scenario{
		{Name: "fin-wait2-time-wait-times-out", Group: "fin-wait2", run: func(s *stage) {
			s.sysctl("ipv4/tcp_fin_timeout", "1")
			a, b := s.pair()
			a.closeForMinisock(b)
			a.wait("to be forgotten", func(r socketRow) bool { return r.state == model.Closed })
			b.close() // its FIN is answered with RST
			b.over()
			truth := finActive(model.CallClose).from(model.FinWait2, sentFIN)
			truth.Cause = model.CauseUnknown // Linux has no event when the minisock's time is out
			s.end(a, truth).Answered = true
			s.stray(b, model.StrayEnded)
			s.end(b, peerReset().from(model.LastAck, bothFIN).by(model.CallClose))
		}},
		{Name: "fin-wait2-full-socket", Group: "fin-wait2", run: func(s *stage) {
			a, b := s.pair()
			a.set(unix.SOL_TCP, unix.TCP_LINGER2, longFinWait)
			a.close()
			a.is(model.FinWait2)
			b.close()
			s.end(a, finActive(model.CallClose))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "fin-wait2-timer", Group: "fin-wait2", run: func(s *stage) {
			// Three seconds more than a TIME_WAIT: the timer hands the rest over, and
			// b has as long to close (tcp_keepalive_timer; one was short in an emulator).
			a, b := s.pair()
			a.set(unix.SOL_TCP, unix.TCP_LINGER2, 63)
			a.close()
			a.is(model.FinWait2)
			a.is(model.TimeWait)
			b.close()
			s.end(a, finActive(model.CallClose))
			s.end(b, finPassive(model.CallClose))
		}},
		{Name: "linger2-close-in-fin-wait2", Group: "fin-wait2", run: func(s *stage) {
			a, b := s.pair()
			a.halfClose(b)
			a.set(unix.SOL_TCP, unix.TCP_LINGER2, -1)
			a.close()
			s.end(a, linger2)
			b.over()
			s.end(b, peerReset().from(model.CloseWait, gotFIN))
			b.finish()
		}},
		{Name: "linger2-fin-acknowledged", Group: "fin-wait2", run: func(s *stage) {
			a, b := s.pair()
			a.set(unix.SOL_TCP, unix.TCP_LINGER2, -1)
			a.close()
			a.over()
			truth := linger2
			truth.Counter = "TCPAbortOnData" // tcp_rcv_state_process counts it so
			s.end(a, truth)
			b.over()
			s.end(b, peerReset().from(model.CloseWait, gotFIN))
			b.finish()
		}},
		{Name: "data-after-close", Group: "late-data", quick: true, run: func(s *stage) {
			a, b := s.pair()
			b.deaf() // so that a stays in FIN_WAIT1
			a.close()
			a.is(model.FinWait1)
			b.send(7)
			a.over()
			s.end(a, lateData(model.CauseDataAfterClose, model.CallClose).from(model.FinWait1, sentFIN))
			b.endVanished(vanished()) // a's RST did not reach it
		}},
		{Name: "data-after-close-fin-wait2", Group: "late-data", run: func(s *stage) {
			a, b := s.pair()
			a.set(unix.SOL_TCP, unix.TCP_LINGER2, longFinWait)
			a.close()
			a.is(model.FinWait2)
			b.send(7)
			a.over()
			b.over()
			s.end(a, lateData(model.CauseDataAfterClose, model.CallClose).from(model.FinWait2, sentFIN))
			s.end(b, peerReset().from(model.CloseWait, gotFIN))
			b.finish()
		}},
		{Name: "data-after-close-with-ack-of-fin", Group: "late-data", run: func(s *stage) {
			// The same segment acknowledges a's FIN and carries data.
			a, b := s.pair()
			send, receive := b.sequences()
			b.deaf()
			a.close()
			a.is(model.FinWait1)
			a.forgeData(send, receive+1, 7)
			a.over()
			s.end(a, lateData(model.CauseDataAfterClose, model.CallClose).from(model.FinWait2, sentFIN))
			b.endVanished(vanished())
		}},
		{Name: "data-after-close-time-wait", Group: "late-data", run: func(s *stage) {
			a, b := s.pair()
			lateDataToTimeWait(s, a, b)
		}},
		{Name: "data-after-shutdown", Group: "late-data", run: func(s *stage) {
			a, b := s.pair()
			a.shutdown(unix.SHUT_RDWR)
			b.eof()
			a.is(model.FinWait2)
			b.send(7)
			a.over()
			b.over()
			s.end(a, lateData(model.CauseDataAfterShutdown, model.CallShutdown).from(model.FinWait2, sentFIN))
			s.end(b, peerReset().from(model.CloseWait, gotFIN))
			a.finish()
			b.finish()
		}},
	}
}

// lateData: this end closed first, and its kernel answered data with a RST.
func lateData(cause model.Cause, call model.Call) Truth {
	t := aborted(cause, call)
	t.Terminator = model.LocalKernel
	return t
}

// lateDataToTimeWait: the minisock answers data with RST.
func lateDataToTimeWait(s *stage, a, b *sock) {
	a.closeForMinisock(b)
	b.send(7)
	b.over()
	truth := finActive(model.CallClose).from(model.FinWait2, sentFIN)
	late := lateData(model.CauseDataAfterClose, model.CallUnknown).from(model.StateUnknown, sentFIN)
	late.Counter = "-"
	truth.Outcome = &late
	e := s.end(a, truth)
	if !timeWaitResetTraced() {
		e.Invisible, e.Hooked = "before Linux 6.10 a reset by TIME_WAIT has no tracepoint", true
	}
	s.end(b, peerReset().from(model.CloseWait, gotFIN))
	b.finish()
}
