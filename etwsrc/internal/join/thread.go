package join

import (
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// thread is what a thread is doing. The TCP stack and AFD run in the thread
// that made the call, which joins their events to the socket that the call's
// end names.
type thread struct {
	used model.Time
	// closing are the closesocket calls that were entered, innermost last.
	closing []bracket
	// connecting is the connection of the latest connect.
	connecting *conn
	// connector and acceptor are the endpoints of the latest connect and
	// accept that AFD reported.
	connector, acceptor *endpoint
	// asked is the connection that was last asked to close in this thread.
	asked   *conn
	askedAt model.Time
	// abort is what AFD said when it last aborted in this thread.
	abort afdAbort
}

// bracket is a closesocket between its begin and its end.
type bracket struct {
	begin  model.Time
	losses uint32
	gap    bool
	// conn is the connection that was asked to close inside; several if there
	// is more than one, and then none of them is known to be the socket's.
	conn    *conn
	several bool
}

// maxNested bounds the closesocket calls in each other: layered providers nest
// a few.
const maxNested = 16

// thread returns the state of a thread.
func (j *Joiner) thread(tid uint32) *thread {
	t := j.threads[tid]
	if t == nil {
		if len(j.threads) >= j.limits.threads {
			j.forgetThreads()
		}
		t = &thread{}
		j.threads[tid] = t
	}
	t.used = j.now
	return t
}

// forgetThreads removes the threads that have done nothing for a while; if
// there are few, all.
func (j *Joiner) forgetThreads() {
	for tid, t := range j.threads {
		if len(t.closing) == 0 && j.now.Sub(t.used) > quietGrace {
			delete(j.threads, tid)
		}
	}
	if len(j.threads) > j.limits.threads*15/16 {
		j.miss("thread-table", uint64(len(j.threads)))
		clear(j.threads)
	}
}

// inThread remembers that c was asked to close in the thread of e, and joins
// what AFD said of it there.
func (j *Joiner) inThread(e *raw.Event, c *conn) {
	if e.TID == 0 || e.TID == raw.NoThread {
		return
	}
	t := j.thread(e.TID)
	t.asked, t.askedAt = c, e.Time
	if c.closer.tid == 0 {
		c.closer = closer{e.PID, e.TID}
	}
	if a := t.abort; a.reason != 0 && within(a.at, e.Time, closedGrace) && c.reason == model.AbortUnknown &&
		c.announced.Has(model.ObservedAbort) && (a.endpoint == nil || a.endpoint.conn == nil || a.endpoint.conn == c) {
		j.abortReason(c, &a)
		t.abort = afdAbort{}
	}
	if n := len(t.closing); n > 0 {
		b := &t.closing[n-1]
		b.several = b.several || b.conn != nil && b.conn != c
		b.conn = c
		b.gap = b.gap || j.late
	}
}

// within: b is at most limit after a.
func within(a, b model.Time, limit time.Duration) bool {
	d := b.Sub(a)
	return d >= 0 && d <= limit
}
