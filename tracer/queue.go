//go:build linux

package tracer

import "github.com/closetrace/closetrace/bpf"

// heldReset is a reset sent or received by TIME_WAIT, which must not be delivered before
// the end.
type heldReset struct {
	later    bpf.TraceLater
	received bool
}

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

// next returns an element to fill in before it is pushed. It still holds what its last
// use left.
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

// again gives p back, for next to return.
func (q *queue[T, P]) again(p P) { q.free = append(q.free, p) }

func (q *queue[T, P]) length() int { return len(q.items) - q.head }

func (q *queue[T, P]) front() P {
	if q.head == len(q.items) {
		return nil
	}
	return q.items[q.head]
}

// pop takes the front out.
func (q *queue[T, P]) pop() {
	q.items[q.head] = nil
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > 1024 && q.head > len(q.items)/2 {
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
}
