//go:build linux

package tracer

import (
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

const (
	// lingerGrace is how long after SO_LINGER's time a waiting close() counts
	// as expired although nothing was heard: it has returned by then.
	lingerGrace = 50 * time.Millisecond
	// returnGrace is the same if every return of close() is traced: it is worth waiting
	// for, because then the verdict is certain.
	returnGrace = 500 * time.Millisecond
)

// left: the FIN of a lingering close() was acknowledged, perhaps just after the
// wait was over.
func (a *assembler) left(e *bpf.TraceEnd, out emit) bool {
	w := a.waits.of(e)
	if w == nil || w.reported {
		return true
	}
	w.learn(e)
	return a.expire(w, w.deadline, false, out)
}

// returned: tcp_close() of a lingering socket came back (fentry and kprobe).
func (a *assembler) returned(l *bpf.TraceLater, out emit) bool {
	h, w := a.recent.heldBy(l.Sock), a.waits.get(l.Sock)
	later := w != nil && h != nil && w.began > h.end.CloseBegan && isReturnOf(l, w.began)
	if h != nil && !later && h.end.Lingering != 0 && isReturnOf(l, h.end.CloseBegan) {
		h.end.Returned, h.end.ReturnedUs = 1, l.ReturnedUs
		return true
	}
	if w == nil || w.reported || !isReturnOf(l, w.began) {
		return true
	}
	w.end.Returned, w.end.ReturnedUs = 1, l.ReturnedUs
	return a.expire(w, ktime(l.Time), false, out)
}

// isReturnOf: by the time of the return the socket may be free, and another connection
// have its address. That one's close() began after what returned. How long after
// began tcp_close() began proves nothing: the thread may have waited for a processor
// in between.
func isReturnOf(l *bpf.TraceLater, began uint64) bool {
	return ktime(l.Time).add(-microseconds(l.ReturnedUs)) >= ktime(began)
}

// expire reports a wait as an end of its own if, by its facts, its time ran out;
// otherwise the wait is over, and the connection's end shows the rest.
func (a *assembler) expire(w *waiting, at ktime, timer bool, out emit) bool {
	f := a.next(model.KindTeardown)
	a.facts(f, w.end)
	f.Time = a.clock.time(at)
	f.Duration = model.Opt[time.Duration]{}
	if w.end.Started != 0 {
		f.Duration = model.Some(time.Duration(at - ktime(w.end.Started)))
	}
	f.Evidence.Wait.TimerExpired = timer
	if !model.WaitExpired(f) {
		a.waits.drop(w)
		return true
	}
	w.timer = timer
	a.waits.report(w)
	f.ID = a.ids.of(a.numberOf(w))
	return out(&a.event)
}
