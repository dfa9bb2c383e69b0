package join

import (
	"hash/maphash"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// tuple is a connection's addresses.
type tuple struct{ local, peer model.Endpoint }

var tupleSeed = maphash.MakeSeed()

// key stands for the addresses among the past connections; 0 if one is not known.
func (t tuple) key() uint64 {
	if !complete(t.local) || !complete(t.peer) {
		return 0
	}
	return maphash.Comparable(tupleSeed, t)
}

// conn is one connection end: one generation of a TCB.
type conn struct {
	tcb uint64
	id  uint64
	// losses is Joiner.losses at the birth.
	losses uint32
	// gap: something may have been missed.
	gap bool

	tuple   tuple
	pid     uint32
	owner   model.OwnerSource
	role    model.Role
	start   model.Time
	seen    model.Time // when the first event came
	stepped model.Time // when the last step of the path was reported
	older   bool       // than the trace
	shared  bool       // the peer's address has more than one connection to this host
	path    model.Path
	assumed bool // the last state of the path was concluded and not reported
	states  bool // the path was reported from its beginning

	announced model.Observations
	errno     string
	reason    model.AbortReason
	events    []eventRef
	aborted   model.Time
	abortTID  uint32
	firstFIN  model.Time
	finAcked  model.Time
	rstSent   bool
	rstText   string
	counters  model.Opt[counters]

	// last is the thread that asked for the close or abort.
	closer closer
	close  closeCall

	// ended is when the connection ended, 0 while it lives; due is when it is
	// reported, after that when it is forgotten.
	ended, due model.Time
	closed     bool // the transition to closed or TIME_WAIT was seen
	reported   bool
	outcome    bool
}

// closer is the thread in which the TCP stack was asked to close.
type closer struct{ pid, tid uint32 }

// closeCall is a closesocket that returned.
type closeCall struct {
	pid, tid   uint32
	begin, end model.Time // begin is 0 if it was not seen
	done       bool
	linger     linger
	uncertain  bool // events of the socket or thread may have been missed
}

// maxEvents bounds the references to events in one connection.
const maxEvents = 24

// eventRef is a [model.EventRef] in little room.
type eventRef struct {
	reason    uint32
	id        uint16
	provider  raw.Provider
	hasReason bool
}

// note adds the event to those that are behind the facts.
func (c *conn) note(p raw.Provider, e *raw.Event, reason model.Opt[uint32]) {
	if len(c.events) < maxEvents {
		v, known := reason.Get()
		c.events = append(c.events, eventRef{v, e.ID, p, known})
	}
}

// refs returns the events that were noted.
func (c *conn) refs() []model.EventRef {
	if len(c.events) == 0 {
		return nil
	}
	list := make([]model.EventRef, len(c.events))
	for i, e := range c.events {
		list[i] = model.EventRef{Provider: e.provider.String(), ID: e.id, Reason: reasonOf(e.reason, e.hasReason)}
	}
	return list
}

// held: c is one of those that are followed.
func (j *Joiner) held(c *conn) bool { return c.tcb != 0 && j.conns[c.tcb] == c }

// newConn begins a generation of tcb.
func (j *Joiner) newConn(tcb uint64) *conn {
	j.born++
	c := &conn{tcb: tcb, id: j.born, seen: j.now, losses: j.losses, gap: j.late || j.now < j.gapUntil}
	if tcb == 0 {
		return c
	}
	j.past.remove(tcb)
	if old := j.conns[tcb]; old != nil {
		j.remove(old)
	} else if len(j.conns) >= j.limits.conns {
		// It is followed only by those who hold it; its end will be a
		// connection's that is older than the trace.
		j.miss("connection-table", 1)
		return c
	}
	j.conns[tcb] = c
	return c
}

// remove forgets c. An end that was not reported is reported first.
func (j *Joiner) remove(c *conn) {
	if c.ended != 0 && !c.reported {
		j.report(c)
	}
	if c.tcb != 0 && j.conns[c.tcb] == c {
		delete(j.conns, c.tcb)
	}
	if j.byTuple[c.tuple] == c {
		delete(j.byTuple, c.tuple)
	}
	if j.byPeer[c.tuple.peer] == c {
		delete(j.byPeer, c.tuple.peer)
	}
	c.reported = true
}

// missed ends c, whose end was not seen although it must have been.
func (j *Joiner) missed(c *conn) {
	c.gap = c.gap || j.late
	if c.ended == 0 {
		c.gap = true
		j.end(c, j.now, false)
	}
	j.remove(c)
}

// address sets what is not yet known of the addresses, and reports whether
// they can be those of c.
func (j *Joiner) address(c *conn, local, peer model.Endpoint) bool {
	old := c.tuple
	if !agree(old.local, local) || !agree(old.peer, peer) {
		return false
	}
	if complete(old.local) && complete(old.peer) {
		return true
	}
	if !complete(old.local) && local.Address.IsValid() {
		c.tuple.local = local
	}
	if !complete(old.peer) && peer.Address.IsValid() {
		c.tuple.peer = peer
	}
	if c.tuple != old && complete(c.tuple.local) && complete(c.tuple.peer) && j.held(c) {
		j.byTuple[c.tuple] = c
		j.past.remove(c.tuple.key())
	}
	return true
}

// complete: e is an address of a connection and not of a socket that waits for one.
func complete(e model.Endpoint) bool {
	return e.Port != 0 && e.Address.IsValid() && !e.Address.IsUnspecified()
}

func agree(a, b model.Endpoint) bool { return a == b || !complete(a) || !complete(b) }

// passive makes c known as the connection from its peer, unless there is another.
func (j *Joiner) passive(c *conn) {
	c.role = model.Passive
	peer := c.tuple.peer
	if !complete(peer) || !j.held(c) {
		return
	}
	if other := j.byPeer[peer]; other != nil && other != c && !other.reported {
		other.shared, c.shared = true, true
	}
	j.byPeer[peer] = c
	if ep := j.accepts[peer]; ep != nil && !c.shared {
		j.bind(ep, c)
	}
}

// end schedules the report of c, which ended at t. sure: the stack said that
// the connection is closed.
func (j *Joiner) end(c *conn, t model.Time, sure bool) {
	if c.reported {
		return
	}
	if sure && !c.closed {
		c.closed, c.ended = true, t
		c.due = max(j.now, t).Add(closedGrace)
		j.schedule(&j.closed, c)
		return
	}
	if c.ended == 0 {
		c.ended = t
		c.due = max(j.now, t).Add(quietGrace)
		j.schedule(&j.quiet, c)
	}
}

// report puts out the facts of c and keeps c for what comes a little later.
func (j *Joiner) report(c *conn) {
	c.reported = true
	if j.kernel[c.tuple] == c {
		delete(j.kernel, c.tuple)
	}
	if c.tcb == 0 && j.told(c) {
		return
	}
	j.out = append(j.out, model.NewEvent(model.KindTeardown, j.facts(c)))
	if c.tcb == 0 {
		return
	}
	c.due = j.now.Add(quietGrace)
	j.forget.push(c, c.due)
}

// told: another provider tells, or told, of the connection, which c has only
// the addresses of. One that tells of no states may not tell of the end.
func (j *Joiner) told(c *conn) bool {
	other := j.byTuple[c.tuple]
	if other == nil || other == c {
		return j.past.has(c.tuple.key())
	}
	if c.announced.Has(model.ObservedDisconnect) && other.ended == 0 && other.start <= c.ended && !j.sawStates {
		other.gap = other.gap || c.gap
		other.own(c.pid, c.owner)
		other.announced |= c.announced
		other.events = append(other.events, c.events...)
		other.ended = c.ended
		j.report(other)
	}
	return true
}

// lastState is the state c is in: unlike Path.Last with closed ones.
func (c *conn) lastState() model.State {
	s := c.path.States()
	if len(s) == 0 {
		return model.StateUnknown
	}
	return s[len(s)-1]
}
