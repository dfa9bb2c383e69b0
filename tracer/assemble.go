//go:build linux

package tracer

import (
	"strconv"
	"time"
	"unsafe"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// hold is how long an end waits for what comes after it in the same kernel
// call: microseconds, but a descheduled virtual CPU has taken 9 ms.
const hold = 100 * time.Millisecond

// flagDescriptorClosed marks an end whose descriptor was closed while it was
// held; the kernel leaves this bit free, the last one.
const flagDescriptorClosed bpf.TraceFlag = 1 << 31

// assembler merges late evidence into connection ends and runs the linger
// timer. It knows no clock: the times are those of the messages, and those
// with which advance is called.
type assembler struct {
	translator
	grace   time.Duration // lingerGrace or returnGrace
	ends    uint64
	held    queue[ended, *ended]
	resets  queue[heldReset, *heldReset]
	waits   waits
	waited  map[*ended]*waiting // of the held ends whose close() waited
	recent  recent
	strays  strays
	answers answers
	began   ktime // when the trace did
	// following: only connections of some processes are reported.
	following bool
	unseen    blind
	ids       ids
	// Where ends happen; nil: not followed.
	namespaces *namespaces
	tallies    *tallies    // nil: every end is sent
	event      model.Event // the next one: it has 900 bytes, and is made in place
	other      model.Facts // of the other end of its connection
	mates      mates
}

func newAssembler(t translator, session string) *assembler {
	return &assembler{translator: t, ids: ids{session: session}, grace: lingerGrace, waited: map[*ended]*waiting{}, waits: newWaits(), recent: newRecent(), strays: strays{byTuple: map[tuple]*strayResets{}}, answers: newAnswers()}
}

// attached sets whether every return of close() is traced.
func (a *assembler) attached(allReturns bool) {
	if allReturns {
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
		if m.end.Counted != 0 {
			a.tallies.takeBack(&m.end)
		}
		a.hold(&m.end)
	case bpf.TraceMessageMESSAGE_LINGER:
		a.waits.add(&m.end, a.hertz)
	case bpf.TraceMessageMESSAGE_LEFT:
		return a.left(&m.end, out)
	case bpf.TraceMessageMESSAGE_RETURNED:
		return a.returned(&m.later, out)
	case bpf.TraceMessageMESSAGE_RESET_TW, bpf.TraceMessageMESSAGE_RESET_GOT_TW:
		r := a.resets.next()
		r.later, r.received = m.later, m.kind == bpf.TraceMessageMESSAGE_RESET_GOT_TW
		a.resets.push(r)
		if !r.received {
			a.answers.add(&m.later)
		}
	case bpf.TraceMessageMESSAGE_STRAY:
		a.strays.add(&m.later)
		a.answers.add(&m.later)
	default:
		a.amend(m)
	}
	return true
}

func (a *assembler) hold(e *bpf.TraceEnd) {
	w := a.waits.of(e)
	var number uint64
	if w != nil { // the socket's next connection may wait before this end is delivered
		a.waits.drop(w)
		number = a.numberOf(w)
	} else {
		number = a.nextNumber()
	}
	h := a.recent.add(e, number)
	h.held, h.waited = true, w != nil
	if w != nil {
		a.waited[h] = w
	}
	a.held.push(h)
	a.answers.heard(e)
	a.meet(e)
	if a.namespaces != nil {
		a.namespaces.meet(e.Netns, e.Owner.Tgid, h.time())
	}
}

// amend adds what came after an end, in the same kernel call or soon after it. What comes
// too late is dropped: the record has been delivered, or would have been if a busy
// machine had let this program run. The socket may by then belong to another connection.
func (a *assembler) amend(m *message) {
	h := a.recent.heldBy(m.later.Sock)
	if h == nil || ktime(m.later.Time) > h.time().add(hold) {
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

// descriptorClosed: whoever closes the descriptor of a connection that has ended held it,
// which is better evidence than the listener's process. Data not read by then is lost.
func descriptorClosed(e *bpf.TraceEnd, l *bpf.TraceLater) {
	e.Flags |= flagDescriptorClosed
	if model.Call(e.Call) != model.CallDisconnect { // which has emptied the queue
		e.Unread = l.Unread
	}
	if settledFork(e, l) {
		return
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

// settledFork: the child that was thought to own the socket closed the last
// descriptor, or its acceptor did, who then had kept it.
func settledFork(e *bpf.TraceEnd, l *bpf.TraceLater) bool {
	if model.OwnerSource(e.Source) != model.OwnerFork {
		return false
	}
	switch l.Closer.Tgid {
	case e.Owner.Tgid:
		e.Source, e.Owner.Comm = uint8(model.OwnerCloser), l.Closer.Comm
	case e.Acceptor:
		e.Source = uint8(model.OwnerAccept)
		e.Owner = bpf.TraceOwner{Tgid: e.Acceptor, Comm: e.AcceptorComm}
		e.Acceptor, e.AcceptorComm = 0, [16]uint8{}
	}
	return true
}

// next clears the event and returns its facts.
func (a *assembler) next(kind model.Kind) *model.Facts {
	a.event.Kind, a.event.Retracts, a.event.Stray, a.event.Counted, a.event.Peer = kind, false, model.Stray{}, model.Counted{}, nil
	a.event.Teardown = model.Teardown{}
	return &a.event.Teardown.Facts
}

// advance takes note that everything sent before at has been read. losses is the kernel's
// present count. It returns false when emit did.
func (a *assembler) advance(at ktime, losses uint32, out emit) bool {
	for {
		w := a.waits.next(at.add(-a.grace))
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
	for h := a.held.front(); h != nil && h.time() <= until; h = a.held.front() {
		more := a.deliver(h, h.end.Lost != losses || a.unseen.hid(&h.end), out)
		a.held.pop()
		a.recent.release(h)
		if !more {
			return false
		}
	}
	for h := a.resets.front(); h != nil && h.time() <= until.add(-hold); h = a.resets.front() {
		more := a.resetFromTimeWait(h, out)
		a.resets.pop()
		a.resets.again(h)
		if !more {
			return false
		}
	}
	return a.reportStrays(until, out)
}

// deliver reports a connection end. For a close() whose linger time ran out it is the
// outcome: the teardown was reported when the time ran out.
func (a *assembler) deliver(h *ended, gap bool, out emit) bool {
	e, w := &h.end, a.waitOf(h)
	if w == nil && e.Lingering != 0 && a.hertz != 0 { // the message of its begin was lost
		w = newWaiting(e, a.hertz)
		w.number = h.id
	}
	if w != nil && !w.reported {
		w.learn(e)
		if !a.expire(w, w.deadline, false, out) {
			return false
		}
	}
	f := a.next(model.KindTeardown)
	a.facts(f, e)
	f.Evidence.Gap = f.Evidence.Gap || gap
	a.otherEnd(f, h, e.Ended)
	f.Evidence.PeerOpen = f.Evidence.PeerOpen || h.open
	f.ID = a.ids.of(h.id)
	if w != nil && w.reported {
		a.event.Kind = model.KindOutcome
		f.Evidence.Later = true
		f.Evidence.Wait.TimerExpired = w.timer
		h.gap, h.timeWait = gap, false // it has its outcome
	} else {
		h.gap, h.timeWait = gap, f.TCP.TimeWait.Or(has(e, bpf.TraceFlagFLAG_TW_FULL))
	}
	more := out(&a.event)
	if a.event.Kind == model.KindTeardown {
		h.cause = a.event.Teardown.Cause
	}
	return more
}

func (a *assembler) waitOf(h *ended) *waiting {
	if !h.waited {
		return nil
	}
	w := a.waited[h]
	delete(a.waited, h)
	return w
}

// nextNumber numbers the ends from 1.
func (a *assembler) nextNumber() uint64 {
	a.ends++
	return a.ends
}

// numberOf returns the number of the end that w belongs to.
func (a *assembler) numberOf(w *waiting) uint64 {
	if w.number == 0 {
		w.number = a.nextNumber()
	}
	return w.number
}

// ids makes the IDs of ends. The text of many is in one piece of memory, which is
// only ever appended to: one allocation for hundreds of them. The latest are kept: both
// ends of a connection say both.
type ids struct {
	session string // their prefix
	piece   []byte
	latest  [64]struct {
		number uint64
		text   string
	}
}

// of returns the ID of an end by its number, which is not 0.
func (i *ids) of(n uint64) string {
	kept := &i.latest[n%uint64(len(i.latest))]
	if kept.number != n {
		kept.number, kept.text = n, i.text(n)
	}
	return kept.text
}

func (i *ids) text(n uint64) string {
	const size, longest = 4096, 48
	if cap(i.piece)-len(i.piece) < longest {
		i.piece = make([]byte, 0, size)
	}
	from := len(i.piece)
	i.piece = strconv.AppendUint(append(append(i.piece, i.session...), '-'), n, 16)
	return unsafe.String(&i.piece[from], len(i.piece)-from) // never written again
}
