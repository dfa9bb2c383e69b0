package join

import "github.com/closetrace/closetrace/model"

// queue holds connections in the order in which they are due. An entry whose
// connection has become due later goes to the end again.
type queue struct {
	entries []entry
	head    int
}

type entry struct {
	c   *conn
	due model.Time
}

func (q *queue) push(c *conn, due model.Time) { q.entries = append(q.entries, entry{c, due}) }

func (q *queue) len() int { return len(q.entries) - q.head }

// schedule reports c when it is due. If too many wait, the first of them is
// reported now: what else would have been heard of it counts as lost.
func (j *Joiner) schedule(q *queue, c *conn) {
	q.push(c, c.due)
	if q.len() <= j.limits.queued {
		return
	}
	if first := q.pop(never); !first.reported {
		j.miss("connection-table", 1)
		j.report(first)
	}
}

// pop returns the first connection that is due, or nil.
func (q *queue) pop(now model.Time) *conn {
	if q.head == len(q.entries) || q.entries[q.head].due > now {
		return nil
	}
	c := q.entries[q.head].c
	q.entries[q.head].c = nil
	if q.head++; q.head > 64 && q.head*2 > len(q.entries) {
		n := copy(q.entries, q.entries[q.head:])
		clear(q.entries[n:])
		q.entries, q.head = q.entries[:n], 0
	}
	return c
}

// expire reports the connections of q that are due.
func (j *Joiner) expire(q *queue) {
	for len(j.out) < j.limits.atOnce {
		c := q.pop(j.now)
		switch {
		case c == nil:
			return
		case c.reported:
		case c.due > j.now:
			q.push(c, c.due)
		default:
			j.report(c)
		}
	}
}

// drain reports connections of q, and whether there are more.
func (j *Joiner) drain(q *queue) (more bool) {
	for len(j.out) < j.limits.atOnce {
		c := q.pop(never)
		if c == nil {
			return false
		}
		if !c.reported {
			j.report(c)
		}
	}
	return true
}

const never = model.Time(1<<63 - 1)

// expireForgotten removes reported connections that can't be heard of any more.
func (j *Joiner) expireForgotten() {
	for c := j.forget.pop(j.now); c != nil; c = j.forget.pop(j.now) {
		if c.due > j.now {
			j.forget.push(c, c.due)
			continue
		}
		key := c.tuple.key()
		j.past.add(c.tcb, key, j.limits.past)
		if key != 0 {
			j.past.add(key, key, j.limits.past)
		}
		j.remove(c)
	}
	for j.forget.len() > j.limits.queued {
		j.remove(j.forget.pop(never))
	}
}

// pastConns remembers the newest connections that were reported, by their TCB
// and their addresses. The stack keeps a TCB in TIME_WAIT for minutes, and one
// that was reset until its application closes the socket, which may be much
// later: what is heard of them then is not of a new connection.
type pastConns struct {
	// set has the key of the addresses, 0 if they are not known.
	set  map[uint64]uint64
	ring []uint64
	next int
}

func (w *pastConns) add(tcb, key uint64, limit int) {
	if len(w.ring) < limit {
		w.ring = append(w.ring, tcb)
	} else {
		delete(w.set, w.ring[w.next])
		w.ring[w.next] = tcb
		w.next = (w.next + 1) % limit
	}
	w.set[tcb] = key
}

func (w *pastConns) remove(tcb uint64) { delete(w.set, tcb) }

func (w *pastConns) has(tcb uint64) bool {
	_, ok := w.set[tcb]
	return ok
}
