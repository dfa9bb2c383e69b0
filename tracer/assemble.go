//go:build linux

package tracer

import (
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

const (
	// hold is how long an end waits for what comes after it in the same kernel
	// call: microseconds, but a descheduled virtual CPU has taken 9 ms.
	hold = 100 * time.Millisecond
	// lingerGrace is how long after SO_LINGER's time a waiting close() counts
	// as expired although nothing was heard: it has returned by then.
	lingerGrace = 50 * time.Millisecond
	// returnGrace is the same where every return of close() is traced: it is
	// worth waiting for, because then the verdict is certain.
	returnGrace = 500 * time.Millisecond
	// waitsMax and timeWaitMax bound the tables; the oldest entry goes.
	waitsMax    = 65536
	timeWaitMax = 32768
	// timeWaitFor is TCP_TIMEWAIT_LEN of every kernel.
	timeWaitFor = 60 * time.Second
)

// flagDescriptorClosed marks an end whose descriptor was closed while it was
// held; the kernel leaves this bit free.
const flagDescriptorClosed bpf.TraceFlag = 1 << 30

// assembler merges late evidence into connection ends and runs the linger
// timer. It knows no clock: the times are those of the messages, and those
// with which advance is called.
type assembler struct {
	translator
	grace  time.Duration // lingerGrace or returnGrace
	ends   uint64
	held   queue[held, *held]
	resets queue[heldReset, *heldReset]
	bySock map[uint64]*held // the latest held end of each socket
	waits  waits
	tw     timeWaits
	ids    ids
	event  model.Event // the next one: it has 900 bytes, and is made in place
}

func newAssembler(t translator, session string) *assembler {
	return &assembler{translator: t, ids: ids{session: session}, grace: lingerGrace, bySock: map[uint64]*held{}, waits: newWaits(), tw: newTimeWaits()}
}

// attached tells how the messages are obtained.
func (a *assembler) attached(mode Mode) {
	if mode == Fentry {
		a.grace = returnGrace
	}
}

// emit receives the events, which are its own only until it returns; it returns
// false to stop.
type emit func(*model.Event) bool

// message takes the next message. It returns false when emit did.
func (a *assembler) message(m *message, out emit) bool {
	switch m.kind {
	case bpf.TraceMessageMESSAGE_END:
		a.hold(&m.end)
	case bpf.TraceMessageMESSAGE_LINGER:
		a.waits.add(&m.end, a.hertz)
	case bpf.TraceMessageMESSAGE_LEFT:
		return a.left(&m.end, out)
	case bpf.TraceMessageMESSAGE_RETURNED:
		return a.returned(&m.later, out)
	case bpf.TraceMessageMESSAGE_RESET_TW:
		r := a.resets.next()
		r.later = m.later
		a.resets.push(r)
	default:
		a.amend(m)
	}
	return true
}

func (a *assembler) hold(e *bpf.TraceEnd) {
	h := a.held.next()
	h.at, h.end, h.wait = ktime(e.Ended), *e, a.waits.of(e)
	a.held.push(h)
	if h.wait != nil { // the socket's next connection may wait before this end is delivered
		a.waits.drop(h.wait)
	}
	a.bySock[e.Sock] = h
	a.meet(e)
}

// amend adds what came after an end, in the same kernel call or soon after it.
// What comes too late is dropped: the record has been delivered, or would be if
// it were this program's turn on a busy machine. The socket may be another's.
func (a *assembler) amend(m *message) {
	h, ok := a.bySock[m.later.Sock]
	if !ok || ktime(m.later.Time) > h.at.add(hold) {
		return
	}
	e := &h.end
	switch m.kind {
	case bpf.TraceMessageMESSAGE_RESET_SENT:
		e.Flags |= bpf.TraceFlagFLAG_RST_SENT_AFTER
		e.Reason = m.later.Reason
	case bpf.TraceMessageMESSAGE_RESET_REPLY:
		e.Flags |= bpf.TraceFlagFLAG_RST_REPLY_AFTER
		e.Reason = m.later.Reason
	case bpf.TraceMessageMESSAGE_CLOSED:
		descriptorClosed(e, &m.later)
	default:
	}
}

// descriptorClosed: whoever closes the descriptor of a connection that has
// ended is who held it: better than the listener's process. What was not read
// until then is lost.
func descriptorClosed(e *bpf.TraceEnd, l *bpf.TraceLater) {
	e.Flags |= flagDescriptorClosed
	if model.Call(e.Call) != model.CallDisconnect { // which has emptied the queue
		e.Unread = l.Unread
	}
	source := model.OwnerSource(e.Source)
	if l.Closer.Tgid == 0 || source != model.OwnerUnknown && source != model.OwnerListener {
		return
	}
	e.Source = uint8(model.OwnerCloser)
	if e.Owner.Tgid != l.Closer.Tgid {
		e.Owner.Tgid, e.Owner.Comm = l.Closer.Tgid, l.Closer.Comm
		e.Owner.Start, e.Owner.Cgroup = 0, 0
	}
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
	if h, ok := a.bySock[l.Sock]; ok && isReturnOf(l, &h.end) {
		h.end.Returned, h.end.ReturnedUs = 1, l.ReturnedUs
		return true
	}
	w := a.waits.bySock[l.Sock]
	if w == nil || w.reported() || !isReturnOf(l, &w.end) {
		return true
	}
	w.end.Returned, w.end.ReturnedUs = 1, l.ReturnedUs
	return a.expire(w, ktime(l.Time), false, out)
}

// isReturnOf: by the time of the return the socket may be free, and another
// connection have its address.
func isReturnOf(l *bpf.TraceLater, e *bpf.TraceEnd) bool {
	began := ktime(l.Time).add(-microseconds(l.ReturnedUs))
	return e.Lingering != 0 && time.Duration(began-ktime(e.CloseBegan)).Abs() < hold
}

// expire reports the linger-timeout of a wait, if its facts make one; otherwise
// the wait is over, and the connection's end tells the rest.
func (a *assembler) expire(w *waiting, at ktime, timer bool, out emit) bool {
	f := a.next(model.KindTeardown)
	a.facts(f, &w.end)
	f.Time = a.clock.time(at)
	f.Duration = model.Opt[time.Duration]{}
	if w.end.Started != 0 {
		f.Duration = model.Some(time.Duration(at - ktime(w.end.Started)))
	}
	f.Evidence.Wait.TimerExpired = timer
	if model.Classify(f).Verdict != model.LingerTimeout {
		a.waits.drop(w)
		return true
	}
	w.id, w.timer = a.nextID(), timer
	f.ID = w.id
	return out(&a.event)
}

// next clears the event and returns its facts.
func (a *assembler) next(kind model.Kind) *model.Facts {
	a.event.Kind, a.event.Facts = kind, model.Facts{}
	return &a.event.Facts
}

// resetFromTimeWait: data came for a connection that had ended gracefully.
func (a *assembler) resetFromTimeWait(l *bpf.TraceLater, out emit) bool {
	id, ok := a.tw.take(tupleOf(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns), ktime(l.Time))
	if !ok {
		return true
	}
	f := a.next(model.KindOutcome)
	f.Time, f.ID = a.clock.time(ktime(l.Time)), a.ids.of(id)
	f.Network = network(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns)
	f.TCP.Path = model.PathOf(model.TimeWait)
	f.TCP.RST = model.RST{Sent: model.Some(true), Reason: a.reasons[l.Reason]}
	f.TCP.Loopback = f.Network.Loopback()
	f.Evidence.RSTReplyTimeWait = true
	f.Evidence.Later = true
	return out(&a.event)
}

// advance tells that everything sent before at has been read. losses is the
// kernel's present count. It returns false when emit did.
func (a *assembler) advance(at ktime, losses uint32, out emit) bool {
	for {
		w := a.waits.due(at.add(-a.grace))
		if w == nil {
			break
		}
		if !a.expire(w, w.deadline, true, out) {
			return false
		}
	}
	return a.releaseUntil(at.add(-hold), losses, out)
}

// flush delivers everything that is held, at the end of the trace.
func (a *assembler) flush(losses uint32, out emit) bool {
	return a.releaseUntil(1<<63-1, losses, out)
}

// releaseUntil delivers what was held until then. A reset from TIME_WAIT is held
// for longer: tcp_time_wait() makes the minisock before it ends the connection,
// so that another processor's reset may come before the end.
func (a *assembler) releaseUntil(until ktime, losses uint32, out emit) bool {
	for h := a.held.front(); h != nil && h.at <= until; h = a.held.front() {
		if a.bySock[h.end.Sock] == h {
			delete(a.bySock, h.end.Sock)
		}
		more := a.deliver(h, h.end.Lost != losses, out)
		a.held.pop()
		if !more {
			return false
		}
	}
	for h := a.resets.front(); h != nil && h.time() <= until.add(-hold); h = a.resets.front() {
		more := a.resetFromTimeWait(&h.later, out)
		a.resets.pop()
		if !more {
			return false
		}
	}
	return true
}

// deliver reports a connection end. For a close() whose linger time ran out
// that is the outcome; the teardown was when the time ran out.
func (a *assembler) deliver(h *held, gap bool, out emit) bool {
	e, w := &h.end, h.wait
	if w == nil && e.Lingering != 0 && a.hertz != 0 { // the message of its begin was lost
		w = newWaiting(e, a.hertz)
	}
	if w != nil && !w.reported() {
		w.learn(e)
		if !a.expire(w, w.deadline, false, out) {
			return false
		}
	}
	f := a.next(model.KindTeardown)
	a.facts(f, e)
	f.Evidence.Gap = f.Evidence.Gap || gap
	if w != nil && w.reported() {
		a.event.Kind = model.KindOutcome
		f.ID = w.id
		f.Evidence.Later = true
		f.Evidence.Wait.TimerExpired = w.timer
		return out(&a.event)
	}
	f.ID = a.nextID()
	if f.TCP.TimeWait.Is(true) {
		a.tw.add(tupleOf(e.Family, &e.Local, &e.Peer, e.LocalPort, e.PeerPort, e.Netns), a.ends, ktime(e.Ended))
	}
	return out(&a.event)
}

func (a *assembler) nextID() string {
	a.ends++
	return a.ids.of(a.ends)
}
