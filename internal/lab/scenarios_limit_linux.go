package lab

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// orphanCachePeriod is how long Linux trusts its count of orphans
// (TCP_ORPHAN_TIMER_PERIOD), and then some.
const orphanCachePeriod = 150 * time.Millisecond

func limitScenarios() []Scenario {
	return []Scenario{
		{Name: "orphan-limit", Group: "limit", Needs: []Feature{GlobalSysctl}, run: orphanLimit},
		{Name: "orphan-limit-zero-window", Group: "limit", Needs: []Feature{GlobalSysctl}, run: orphanLimitZeroWindow},
		{Name: "orphan-limit-peer-gone", Group: "limit", Needs: []Feature{GlobalSysctl}, run: orphanLimitPeerGone},
		{Name: "time-wait-limit", Group: "limit", run: timeWaitLimit},
	}
}

// orphanLimit closes connections while tcp_max_orphans is 0. Kernels that
// count orphans only now and then let some live until they send again; others
// abort the first. One is aborted in close in the end.
func orphanLimit(s *stage) {
	l := s.b().listen(loopback4)
	var lived [][2]*sock
	for range 10 {
		a := s.a().open(loopback4)
		a.connect(l)
		b := l.accept(a)
		b.deaf()
		a.close()
		state := a.row().state
		truth := aborted(model.CauseOrphanOrMemoryLimit, model.CallClose).from(model.FinWait1, sentFIN)
		truth.Terminator = model.LocalKernel
		s.end(a, truth)
		if state == model.Closed {
			b.endVanished(vanished())
			for _, pair := range lived {
				pair[0].over()
				pair[1].endVanished(vanished())
			}
			return
		}
		lived = append(lived, [2]*sock{a, b})
		time.Sleep(orphanCachePeriod) // nothing shows when it has counted
	}
	s.fail("no orphan was aborted in close")
}

// orphanLimitZeroWindow: the orphan waits for a window. It is aborted in close, or when
// it next probes (tcp_probe_timer), and the peer hears the RST.
func orphanLimitZeroWindow(s *stage) {
	a, b := zeroWindowPair(s)
	a.close()
	a.over()
	b.over()
	truth := aborted(model.CauseOrphanOrMemoryLimit, model.CallClose).from(model.FinWait1, noFIN)
	truth.Terminator = model.LocalKernel
	s.end(a, truth)
	s.end(b, peerReset())
	b.finish()
}

// orphanLimitPeerGone: nobody knows the peer any more. If close() lets the orphan live,
// because the kernel counts orphans only now and then, either its timer aborts it or
// what it sends again first is answered with RST: the kernel's counter says which.
func orphanLimitPeerGone(s *stage) {
	a, b := s.pair()
	b.deaf()
	a.send(5)
	a.close()
	b.endVanished(vanished()).Answered = true
	a.over()
	now, err := readCounters()
	s.check("read counters", err)
	truth := aborted(model.CauseOrphanOrMemoryLimit, model.CallClose)
	truth.Terminator = model.LocalKernel
	if now["TCPAbortOnMemory"] == s.before["TCPAbortOnMemory"] {
		truth = peerReset().first(model.InitiatorLocal).by(model.CallClose)
	}
	s.end(a, truth.from(model.FinWait1, mayFIN).unacked(5))
}

// timeWaitLimit: the kernel makes the TIME_WAITs that it may, and drops the next.
func timeWaitLimit(s *stage) {
	s.sysctl("ipv4/tcp_max_tw_buckets", "2")
	for i := range uint64(3) {
		a, b := s.pair()
		a.halfClose(b)
		b.close()
		a.over()
		truth := finActive(model.CallShutdown)
		truth.TimeWait = model.Some(a.row().state == model.TimeWait)
		s.end(a, truth)
		s.end(b, finPassive(model.CallClose))
		a.finish()
		now, err := readCounters()
		s.check("read counters", err)
		dropped := now["TCPTimeWaitOverflow"] - s.before["TCPTimeWaitOverflow"]
		if want := i / 2; dropped != want || truth.TimeWait.Is(true) == (want > 0) {
			s.fail("connection %d: %d TIME_WAITs were dropped, and this one is %v", i, dropped, a.row().state)
		}
	}
}
