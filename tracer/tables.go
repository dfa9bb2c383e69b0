//go:build linux

package tracer

import (
	"hash/maphash"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
)

// held is a connection end that waits for late evidence.
type held struct {
	at   ktime
	end  bpf.TraceEnd
	wait *waiting // if its close() waited
}

func (h *held) time() ktime { return h.at }

// heldReset is a reset from TIME_WAIT, which must not overtake the end before it.
type heldReset struct{ later bpf.TraceLater }

func (h *heldReset) time() ktime { return ktime(h.later.Time) }

// queue holds messages in the order of their times, which is nearly that of the
// ring buffer. Its elements do not move, and are used again.
type queue[T any, P interface {
	*T
	time() ktime
}] struct {
	items []P
	head  int
	free  []P
}

// next returns an element to fill in before it is pushed. What it held is
// whatever its last use left.
func (q *queue[T, P]) next() P {
	n := len(q.free)
	if n == 0 {
		return new(T)
	}
	p := q.free[n-1]
	q.free = q.free[:n-1]
	return p
}

func (q *queue[T, P]) push(p P) {
	q.items = append(q.items, p)
	for i := len(q.items) - 1; i > q.head && q.items[i-1].time() > p.time(); i-- {
		q.items[i-1], q.items[i] = q.items[i], q.items[i-1]
	}
}

func (q *queue[T, P]) front() P {
	if q.head == len(q.items) {
		return nil
	}
	return q.items[q.head]
}

func (q *queue[T, P]) pop() {
	q.free = append(q.free, q.items[q.head])
	q.items[q.head] = nil
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > 1024 && q.head > len(q.items)/2 {
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
}

// waiting is a close() that waits because of SO_LINGER, and afterwards the
// orphan it left behind.
type waiting struct {
	end      bpf.TraceEnd // as it was when the wait began
	deadline ktime        // when the wait ends at the latest
	id       string       // of its linger-timeout, once reported
	timer    bool         // reported because the timer ran out
	dropped  bool
}

func newWaiting(e *bpf.TraceEnd, hertz uint32) *waiting {
	limit := time.Duration(e.Lingertime) * time.Second / time.Duration(hertz)
	return &waiting{end: *e, deadline: ktime(e.CloseBegan).add(limit)}
}

func (w *waiting) reported() bool { return w.id != "" }

// learn takes over what a later message of the same connection says of the
// wait, and nothing else: the rest is not of the time when it was over.
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
	if hertz == 0 { // N is not known: the end itself must tell
		return
	}
	if old := t.bySock[e.Sock]; old != nil {
		t.drop(old)
	}
	if len(t.order) >= waitsMax {
		t.drop(t.order[0])
		t.order = t.order[1:]
	}
	w := newWaiting(e, hertz)
	t.bySock[e.Sock] = w
	t.order = append(t.order, w)
}

// of returns the wait of e's connection. Another connection may have, or have
// had, the same socket; the time when close() began tells them apart.
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

// timeWaits remembers the tuples of connections that went into TIME_WAIT, so
// that a reset for late data finds its connection. Half of all ends come here and
// next to none is asked for: a ring, chained by hash, takes a third of the time of
// a map from which the oldest is deleted.
type timeWaits struct {
	seed  maphash.Seed
	heads []uint64 // by hash: the number of the last one, counted from 1
	ring  []timeWait
	count uint64 // added so far
}

type timeWait struct {
	tuple tuple
	id    uint64 // 0: was asked for
	at    ktime
	prev  uint64 // number of the one before it with the same hash
}

// tuple is a [model.Network] that is quick to hash. IPv4 addresses are mapped,
// as an IPv6 socket has them.
type tuple struct {
	local, peer         [16]byte
	localPort, peerPort uint16
	netns               uint32
}

func tupleOf(family uint8, local, peer *[16]byte, localPort, peerPort uint16, netns uint32) tuple {
	t := tuple{*local, *peer, localPort, peerPort, netns}
	if family == unix.AF_INET {
		t.local, t.peer = mapped(local), mapped(peer)
	}
	return t
}

func mapped(b *[16]byte) [16]byte {
	return [16]byte{10: 0xff, 11: 0xff, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}
}

func newTimeWaits() timeWaits {
	return timeWaits{seed: maphash.MakeSeed(), heads: make([]uint64, timeWaitMax)}
}

func (t *timeWaits) head(n tuple) *uint64 {
	return &t.heads[maphash.Comparable(t.seed, n)%timeWaitMax]
}

func (t *timeWaits) add(n tuple, id uint64, at ktime) {
	head := t.head(n)
	entry := timeWait{n, id, at, *head}
	if len(t.ring) < timeWaitMax {
		t.ring = append(t.ring, entry)
	} else {
		t.ring[t.count%timeWaitMax] = entry
	}
	t.count++
	*head = t.count
}

// take returns the number of the connection that was in TIME_WAIT at that time,
// once. The numbers of a chain fall: it ends where the ring has been written over.
func (t *timeWaits) take(n tuple, at ktime) (uint64, bool) {
	for number := *t.head(n); number != 0 && t.count-number < timeWaitMax; {
		entry := &t.ring[(number-1)%timeWaitMax]
		if entry.tuple == n {
			id := entry.id
			entry.id = 0
			return id, id != 0 && entry.at.add(timeWaitFor) >= at
		}
		number = entry.prev
	}
	return 0, false
}

// ids makes the IDs of ends. The text of many is in one piece of memory, which is
// only ever appended to: one allocation for hundreds of them.
type ids struct {
	session string // their prefix
	piece   []byte
}

func (i *ids) of(n uint64) string {
	const size, longest = 4096, 48
	if cap(i.piece)-len(i.piece) < longest {
		i.piece = make([]byte, 0, size)
	}
	from := len(i.piece)
	i.piece = strconv.AppendUint(append(append(i.piece, i.session...), '-'), n, 16)
	return unsafe.String(&i.piece[from], len(i.piece)-from) //nolint:gosec // never written again
}
