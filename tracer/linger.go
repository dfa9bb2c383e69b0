//go:build linux

package tracer

import (
	"slices"
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
	// waitsMax bounds the table; the oldest entry goes.
	waitsMax = 65536
)

// waiting is a close() that waits because of SO_LINGER, and afterwards the
// orphan it left behind.
type waiting struct {
	end      bpf.TraceEnd // as it was when the wait began
	deadline ktime        // when the wait ends at the latest
	id       string       // of its linger-timeout, once reported
	number   uint64       // of that end, 0 if it has none yet
	timer    bool         // reported because the timer ran out
	dropped  bool
}

func newWaiting(e *bpf.TraceEnd, hertz uint32) *waiting {
	limit := time.Duration(e.Lingertime) * time.Second / time.Duration(hertz)
	return &waiting{end: *e, deadline: ktime(e.CloseBegan).add(limit)}
}

func (w *waiting) reported() bool { return w.id != "" }

// learn takes over what a later message of the same connection says of the wait, and
// nothing else: the rest was read after the wait.
func (w *waiting) learn(e *bpf.TraceEnd) {
	const wait = bpf.TraceFlagFLAG_LEFT | bpf.TraceFlagFLAG_LEFT_DEAD | bpf.TraceFlagFLAG_LEFT_OWNED
	w.end.Flags = w.end.Flags&^wait | e.Flags&wait
	w.end.LeftUs, w.end.WaitingUs, w.end.OrphanedUs = e.LeftUs, e.WaitingUs, e.OrphanedUs
	if e.Returned != 0 {
		w.end.Returned, w.end.ReturnedUs = e.Returned, e.ReturnedUs
	}
}

// waits is the table of lingering closes, by socket.
type waits struct {
	bySock map[uint64]*waiting
	order  []*waiting // by begin; dropped ones are swept out in bulk
}

func newWaits() waits { return waits{bySock: map[uint64]*waiting{}} }

func (t *waits) add(e *bpf.TraceEnd, hertz uint32) {
	if hertz == 0 { // N is not known: the end itself must show it
		return
	}
	if old := t.bySock[e.Sock]; old != nil {
		t.drop(old)
	}
	if len(t.order) >= waitsMax {
		oldest := t.order[0]
		t.order = t.order[1:]
		t.drop(oldest)
	}
	w := newWaiting(e, hertz)
	t.bySock[e.Sock] = w
	t.order = append(t.order, w)
}

// of returns the wait of e's connection. Another connection may have, or have had, the
// same socket; the time when close() began distinguishes them.
func (t *waits) of(e *bpf.TraceEnd) *waiting {
	w := t.bySock[e.Sock]
	if w == nil || w.end.CloseBegan != e.CloseBegan {
		return nil
	}
	return w
}

func (t *waits) drop(w *waiting) {
	if t.bySock[w.end.Sock] == w {
		delete(t.bySock, w.end.Sock)
	}
	w.dropped = true
	if len(t.order) > 2*len(t.bySock)+16 {
		t.order = slices.DeleteFunc(t.order, func(w *waiting) bool { return w.dropped })
	}
}

// due returns a wait whose deadline is not after at and that was not reported.
func (t *waits) due(at ktime) *waiting {
	for _, w := range t.order {
		if !w.dropped && !w.reported() && w.deadline <= at {
			return w
		}
	}
	return nil
}

// left: the FIN of a lingering close() was acknowledged, perhaps just after the
// wait was over.
func (a *assembler) left(e *bpf.TraceEnd, out emit) bool {
	w := a.waits.of(e)
	if w == nil || w.reported() {
		return true
	}
	w.learn(e)
	return a.expire(w, w.deadline, false, out)
}

// returned: tcp_close() of a lingering socket came back (fentry and kprobe).
func (a *assembler) returned(l *bpf.TraceLater, out emit) bool {
	h, w := a.recent.heldBy(l.Sock), a.waits.bySock[l.Sock]
	later := w != nil && h != nil && w.end.CloseBegan > h.end.CloseBegan && isReturnOf(l, &w.end)
	if h != nil && !later && isReturnOf(l, &h.end) {
		h.end.Returned, h.end.ReturnedUs = 1, l.ReturnedUs
		return true
	}
	if w == nil || w.reported() || !isReturnOf(l, &w.end) {
		return true
	}
	w.end.Returned, w.end.ReturnedUs = 1, l.ReturnedUs
	return a.expire(w, ktime(l.Time), false, out)
}

// isReturnOf: by the time of the return the socket may be free, and another connection
// have its address. That one's close() began after what returned. How long after
// CloseBegan tcp_close() began proves nothing: the thread may have waited for a processor
// in between.
func isReturnOf(l *bpf.TraceLater, e *bpf.TraceEnd) bool {
	return e.Lingering != 0 && ktime(l.Time).add(-microseconds(l.ReturnedUs)) >= ktime(e.CloseBegan)
}

// expire reports a wait as an end of its own if, by its facts, its time ran out;
// otherwise the wait is over, and the connection's end shows the rest.
func (a *assembler) expire(w *waiting, at ktime, timer bool, out emit) bool {
	f := a.next(model.KindTeardown)
	a.facts(f, &w.end)
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
	w.id, w.timer = a.ids.of(a.numberOf(w)), timer
	f.ID = w.id
	return out(&a.event)
}
