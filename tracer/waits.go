//go:build linux

package tracer

import (
	"container/heap"
	"time"

	"github.com/closetrace/closetrace/bpf"
)

const (
	// waitsMax bounds the waits that may still run out. What found no room is reported
	// when its connection ends.
	waitsMax = 65536
	// reportedMax bounds those that were reported, in two generations: as many as there
	// can be orphans by default (tcp_init, net/ipv4/tcp.c).
	reportedMax = 262144
)

// waiting is a close() that waits because of SO_LINGER, and afterwards the
// orphan it left behind.
type waiting struct {
	sock, began uint64
	end         *bpf.TraceEnd // as it was when the wait began; nil once reported
	deadline    ktime         // when the wait ends at the latest
	number      uint64        // of its linger-timeout, 0 if it has none yet
	place       int           // in waits.due, or notDue
	reported    bool
	timer       bool // reported because the timer ran out
}

const notDue = -1

func newWaiting(e *bpf.TraceEnd, hertz uint32) *waiting {
	limit := time.Duration(e.Lingertime) * time.Second / time.Duration(hertz)
	end := *e
	return &waiting{sock: e.Sock, began: e.CloseBegan, end: &end, deadline: ktime(e.CloseBegan).add(limit), place: notDue}
}

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

// waits is the table of lingering closes, by socket: those that may still run out, and,
// so that their ends become outcomes, those that were reported.
type waits struct {
	bySock     map[uint64]*waiting
	due        byDeadline // the same
	young, old map[uint64]*waiting
}

func newWaits() waits { return waits{bySock: map[uint64]*waiting{}, young: map[uint64]*waiting{}} }

func (t *waits) add(e *bpf.TraceEnd, hertz uint32) {
	if hertz == 0 { // N is not known: the end itself must show it
		return
	}
	if before := t.get(e.Sock); before != nil {
		t.drop(before)
	}
	if len(t.due) >= waitsMax {
		t.drop(t.due[len(t.due)-1]) // not one of the next
	}
	w := newWaiting(e, hertz)
	t.bySock[e.Sock] = w
	heap.Push(&t.due, w)
}

func (t *waits) get(sock uint64) *waiting {
	for _, m := range []map[uint64]*waiting{t.bySock, t.young, t.old} {
		if w := m[sock]; w != nil {
			return w
		}
	}
	return nil
}

// of returns the wait of e's connection. Another connection may have, or have had, the
// same socket; the time when close() began distinguishes them.
func (t *waits) of(e *bpf.TraceEnd) *waiting {
	w := t.get(e.Sock)
	if w == nil || w.began != e.CloseBegan {
		return nil
	}
	return w
}

// drop forgets w, if it is in the table.
func (t *waits) drop(w *waiting) {
	if w.place != notDue {
		heap.Remove(&t.due, w.place)
	}
	for _, m := range []map[uint64]*waiting{t.bySock, t.young, t.old} {
		if m[w.sock] == w {
			delete(m, w.sock)
		}
	}
}

// report notes that w was reported.
func (t *waits) report(w *waiting) {
	w.reported, w.end = true, nil
	if t.bySock[w.sock] != w { // its connection has ended
		return
	}
	t.drop(w)
	if len(t.young) >= reportedMax/2 {
		t.young, t.old = map[uint64]*waiting{}, t.young
	}
	t.young[w.sock] = w
}

// next returns a wait whose deadline is not after at and that was not reported.
func (t *waits) next(at ktime) *waiting {
	if len(t.due) == 0 || t.due[0].deadline > at {
		return nil
	}
	return t.due[0]
}

// byDeadline is a heap of waits.
type byDeadline []*waiting

func (h byDeadline) Len() int           { return len(h) }
func (h byDeadline) Less(i, j int) bool { return h[i].deadline < h[j].deadline }

func (h byDeadline) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *byDeadline) Push(w any) {
	w.(*waiting).place = len(*h)
	*h = append(*h, w.(*waiting))
}

func (h *byDeadline) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h, w.place = (*h)[:last], notDue
	return w
}
