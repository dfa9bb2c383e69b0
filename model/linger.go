package model

import (
	"math"
	"time"
)

// Retracts reports whether j, the judgement of an outcome with the facts f, takes
// back a linger-timeout that was reported because only a timer had run out.
func Retracts(f *Facts, j *Judgement) bool {
	return f.Evidence.Wait.TimerExpired && j.LingerOutcome != LingerExpired && j.LingerOutcome != LingerUnknown
}

// tick is how much earlier than its N seconds a linger wait may seem to end:
// the kernel counts the wait in jiffies, of up to 10 ms, and Windows in clock
// ticks of 16 ms.
const tick = 20 * time.Millisecond

// lingerOutcome says how close() with SO_LINGER {1,N} went. Linux keeps the
// closer waiting in sk_stream_wait_close() until the FIN is acknowledged, the
// time is out or a signal is pending, and then orphans the socket: that a
// socket still has an owner when its FIN is acknowledged shows that the wait
// was not over.
func lingerOutcome(f *Facts) LingerOutcome {
	w, limit := &f.Evidence.Wait, lingerLimit(f)
	left, hasLeft := w.Left.Get()
	returned, hasReturned := w.Returned.Get()
	orphaned, hasOrphaned := w.Orphaned.Get()
	switch {
	case limit > 0 && (w.Exiting || nothingToWaitFor(f)):
		return LingerSkipped
	case !w.Began || limit == 0:
		return LingerUnknown
	case hasLeft && (!w.LeftDead || w.LeftOwned && left < limit-tick):
		return waitEnded(f)
	case hasReturned && returned < limit-tick, hasOrphaned && orphaned < limit-tick:
		return LingerInterrupted
	case hasReturned, hasLeft && left >= limit-tick, w.TimerExpired:
		return LingerExpired
	case hasLeft:
		return LingerInterrupted
	default:
		return LingerUnknown
	}
}

// nothingToWaitFor: close() began when our FIN, which shutdown() had sent, was
// acknowledged already (sk_stream_closing).
func nothingToWaitFor(f *Facts) bool {
	e := &f.Evidence
	return !e.Wait.Began && e.CloseTime != 0 && e.Announced == 0 && f.TCP.Path.Last() == FinWait2 && f.TCP.Bytes.Unread.Or(0) == 0
}

// waitEnded distinguishes an acknowledged FIN from a connection that died while the
// closer waited.
func waitEnded(f *Facts) LingerOutcome {
	if f.TCP.Error != "" || f.Evidence.RSTReceivedBefore {
		return LingerReset
	}
	return LingerDrained
}

// lingerLimit returns N of SO_LINGER {1,N}, or 0. Linux waits for ever if N is
// negative or beyond MAX_SCHEDULE_TIMEOUT (sk_setsockopt).
func lingerLimit(f *Facts) time.Duration {
	const forever = time.Duration(math.MaxInt64)
	seconds := int64(f.Linger.Seconds.Or(0))
	switch {
	case !f.Linger.On.Is(true):
		return 0
	case seconds < 0, seconds > int64(forever/time.Second):
		return forever
	default:
		return time.Duration(seconds) * time.Second
	}
}

// closeBlocked returns how long close() waited, as far as the outcome shows.
func closeBlocked(f *Facts, outcome LingerOutcome) Opt[time.Duration] {
	w := &f.Evidence.Wait
	switch {
	case w.Returned.Known():
		return w.Returned
	case outcome == LingerExpired:
		return Some(lingerLimit(f))
	case outcome == LingerDrained, outcome == LingerReset:
		return w.Left
	default:
		return Opt[time.Duration]{}
	}
}

// WaitExpired reports whether a close() with SO_LINGER gave up waiting, by what is known
// while its connection still lives. A source asks it before it hands over such a wait.
func WaitExpired(f *Facts) bool {
	o := Observe(f)
	return o.Has(ObservedLingerExpired)
}

// lingerExpired: the facts of a later outcome show how the orphan ended, not
// how the wait did. On Windows an expired linger aborts inside closesocket,
// unless the peer's RST was there first.
func lingerExpired(f raw) bool {
	if f.Evidence.Later || lingerOutcome(f.Facts) != LingerExpired || announced(f, ObservedRSTReceived) {
		return false
	}
	return f.Evidence.Announced == 0 || announced(f, ObservedAbort) && f.Evidence.AbortInClose.Is(true)
}
