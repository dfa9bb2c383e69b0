package join

import (
	"slices"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// endpoint is a socket in AFD: one generation of its pointer.
type endpoint struct {
	pointer uint64
	losses  uint32
	peer    model.Endpoint
	conn    *conn
}

// afdAbort is event 1032; in older Windows 7, and 8 where the transport aborted.
type afdAbort struct {
	endpoint *endpoint
	at       model.Time
	tid      uint32
	id       uint16
	reason   uint32
}

// The reasons of an abort that mean something to closetrace (AFD_ABORT_ValueMap).
const (
	abortRequested   = 2
	abortReceiveShut = 3
	abortByTransport = 4
	abortPending     = 7
	abortDataLate    = 0xC
	abortDataCleanup = 0xD
)

const (
	afdDatagram = 0x1 // keyword: not of a stream socket
	enter, exit = 0, 1
)

// afd takes an event of the socket layer in the kernel. The header's process
// is only meant where a request enters: completions run anywhere.
func (j *Joiner) afd(e *raw.Event) {
	if !slices.Contains(afdEvents, e.ID) {
		return
	}
	if e.Keyword&afdDatagram != 0 {
		return
	}
	f, ok := j.decode(raw.AFD, e)
	if !ok {
		return
	}
	phase, _ := f.Uint(payload.FieldEnterExit)
	pointer := f.Pointer(payload.FieldEndpoint)
	switch e.ID {
	case 1000:
		if phase == enter {
			j.dropEndpoint(pointer) // a new generation
		}
	case 1001:
		if phase == exit {
			j.dropEndpoint(pointer)
		}
	case 1018, 1021:
		j.afdConnect(e, f, pointer, phase)
	case 1024, 1027:
		j.afdAccept(e, f)
	case 7, 8, 1032:
		j.afdAborted(e, f, pointer)
	case 3006:
		if ep := j.endpoints[pointer]; ep != nil && ep.conn != nil {
			ep.conn.note(raw.AFD, e, model.Opt[uint32]{})
			j.announce(ep.conn, model.ObservedPeerFIN, "")
		}
	}
}

func (j *Joiner) endpoint(pointer uint64) *endpoint {
	ep := j.endpoints[pointer]
	if ep == nil {
		if len(j.endpoints) >= j.limits.sockets {
			j.miss("socket-table", uint64(len(j.endpoints)))
			clear(j.endpoints)
			clear(j.accepts)
		}
		ep = &endpoint{pointer: pointer, losses: j.losses}
		j.endpoints[pointer] = ep
	}
	return ep
}

func (j *Joiner) dropEndpoint(pointer uint64) {
	ep := j.endpoints[pointer]
	if ep == nil {
		return
	}
	delete(j.endpoints, pointer)
	if j.accepts[ep.peer] == ep {
		delete(j.accepts, ep.peer)
	}
}

// setPeer says where ep is connected to.
func (j *Joiner) setPeer(ep *endpoint, peer model.Endpoint) {
	if j.accepts[ep.peer] == ep {
		delete(j.accepts, ep.peer)
	}
	ep.peer = peer
}

// bind says that ep is the socket of c.
func (j *Joiner) bind(ep *endpoint, c *conn) {
	ep.conn = c
	c.gap = c.gap || j.late || ep.losses != j.losses && ep.losses < c.losses
	if j.accepts[ep.peer] == ep {
		delete(j.accepts, ep.peer)
	}
}

// afdConnect takes a connect with its address. The stack is called in the same
// thread, before the request is left.
func (j *Joiner) afdConnect(e *raw.Event, f *payload.Payload, pointer, phase uint64) {
	ep := j.endpoint(pointer)
	j.setPeer(ep, f.Address(payload.FieldAddress))
	if phase != enter || e.TID == 0 {
		return
	}
	t := j.thread(e.TID)
	t.connector = ep
	if t.connecting != nil {
		j.connecting(t, t.connecting)
	}
}

// connecting binds the endpoint and the connection of a connect in one thread.
func (j *Joiner) connecting(t *thread, c *conn) {
	if ep := t.connector; ep != nil && ep.conn == nil && complete(ep.peer) && ep.peer == c.tuple.peer {
		j.bind(ep, c)
		t.connector = nil
	}
}

// afdAccept takes an accept: the peer's address shows which connection is
// meant, unless the peer has several with this host from one port.
func (j *Joiner) afdAccept(e *raw.Event, f *payload.Payload) {
	pointer := f.Pointer(payload.FieldAcceptEndpoint)
	peer := f.Address(payload.FieldAddress)
	if pointer == 0 || !complete(peer) {
		return
	}
	ep := j.endpoint(pointer)
	j.setPeer(ep, peer)
	if c := j.byPeer[peer]; c != nil && !c.shared && !c.reported {
		j.bind(ep, c)
	} else if c == nil {
		j.accepts[peer] = ep
	}
	if e.TID != 0 && e.TID != raw.NoThread {
		j.thread(e.TID).acceptor = ep
	}
}

// afdAborted takes the abort by AFD, the only event that has a reason.
func (j *Joiner) afdAborted(e *raw.Event, f *payload.Payload, pointer uint64) {
	a := afdAbort{endpoint: j.endpoints[pointer], at: e.Time, tid: e.TID, id: e.ID, reason: f.Uint32(payload.FieldReason)}
	if e.ID == 8 {
		a.reason = abortByTransport
	}
	if a.endpoint != nil && a.endpoint.conn != nil {
		c := a.endpoint.conn
		j.abortReason(c, &a)
		if a.reason == abortRequested && !c.over(a.at) {
			if c.aborted == 0 {
				c.aborted, c.abortTID = a.at, a.tid
			}
			j.announce(c, model.ObservedAbort, "")
			j.end(c, a.at, false)
		}
		return
	}
	if e.TID == 0 || e.TID == raw.NoThread {
		return
	}
	t := j.thread(e.TID)
	if c := t.asked; c != nil && c.aborted != 0 && c.abortTID == e.TID && within(c.aborted, e.Time, closedGrace) && c.reason == model.AbortUnknown && !c.reported {
		j.abortReason(c, &a)
		return
	}
	t.abort = a
}

// abortReason adds what AFD said of the abort of c. Where only the thread joins
// the two, the abort may be that of another socket: of a protocol that AFD
// serves and the TCP stack does not know.
func (j *Joiner) abortReason(c *conn, a *afdAbort) {
	own := a.endpoint != nil && (a.endpoint.conn == c || complete(a.endpoint.peer) && a.endpoint.peer == c.tuple.peer)
	c.gap = c.gap || j.late || !own
	c.note(raw.AFD, &raw.Event{ID: a.id}, model.Some(a.reason))
	reason := model.AbortOther
	switch a.reason {
	case abortRequested:
		reason = model.AbortRequested
	case abortReceiveShut, abortPending, abortDataLate, abortDataCleanup:
		reason = model.AbortUnread
	case abortByTransport:
		reason = model.AbortPeer
	}
	if reason != model.AbortPeer && c.over(a.at) {
		return
	}
	// The peer's reset is indicated after the abort that it makes; it does not
	// replace a reason of this host.
	if c.reason == model.AbortUnknown || c.reason == model.AbortPeer {
		c.reason = reason
	}
}
