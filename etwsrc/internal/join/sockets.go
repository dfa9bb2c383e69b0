package join

import (
	"encoding/binary"
	"slices"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// handle names a socket: handles are reused, but a new socket is announced.
type handle struct {
	pid    uint32
	socket uint64
}

// socket is what the Winsock calls showed of a socket.
type socket struct {
	losses uint32
	gap    bool
	linger linger
	conn   *conn
	ep     *endpoint
}

// linger is SO_LINGER. A socket that was made during the trace has it off
// until it is set.
type linger struct {
	known, on bool
	seconds   uint16
}

// The options of setsockopt that matter (ws2def.h). SO_DONTLINGER is the
// complement of SO_LINGER.
const (
	solSocket    = 0xFFFF
	soLinger     = 0x80
	soDontLinger = 0xFFFFFF7F
	// soUpdateAccept makes a socket of AcceptEx like its listener.
	soUpdateAccept = 0x700B
	stream         = 1
)

// call takes an event of the Winsock calls; they come from the calling thread.
func (j *Joiner) call(e *raw.Event) {
	if !slices.Contains(socketEvents, e.ID) {
		return
	}
	f, ok := j.decode(raw.Sockets, e)
	if !ok {
		return
	}
	h := handle{e.PID, f.Pointer(payload.FieldSocket)}
	code := f.Uint32(payload.FieldErrorCode)
	switch {
	case e.ID == 3:
		t := j.thread(e.TID)
		if len(t.closing) == maxNested {
			t.closing = t.closing[:0]
		}
		t.closing = append(t.closing, bracket{begin: e.Time, losses: j.losses, gap: j.late})
	case e.ID == 4:
		j.closeReturned(e, h, code)
	case e.ID == 10:
		j.connectReturned(e, f, h, code)
	case code != 0:
	case e.ID == 2:
		delete(j.sockets, h)
		if f.Uint32(payload.FieldSocketType) == stream {
			j.socket(h).linger = linger{known: true}
		}
	case e.ID == 6:
		j.accepted(e, f)
	case e.ID == 8:
		j.optionSet(f, h)
	}
}

func (j *Joiner) socket(h handle) *socket {
	s := j.sockets[h]
	if s == nil {
		if len(j.sockets) >= j.limits.sockets {
			j.miss("socket-table", uint64(len(j.sockets)))
			clear(j.sockets)
		}
		s = &socket{losses: j.losses}
		j.sockets[h] = s
	}
	s.gap = s.gap || j.late
	return s
}

// optionSet takes a setsockopt that succeeded. LINGER is two 16-bit numbers.
func (j *Joiner) optionSet(f *payload.Payload, h handle) {
	if f.Uint32(payload.FieldLevel) != solSocket {
		return
	}
	value := f.Bytes(payload.FieldOptVal)
	switch f.Uint32(payload.FieldOptName) {
	case soLinger:
		s := j.socket(h)
		if len(value) < 4 {
			s.linger = linger{}
			return
		}
		s.linger = linger{
			known: true, on: binary.LittleEndian.Uint16(value) != 0,
			seconds: binary.LittleEndian.Uint16(value[2:]),
		}
	case soUpdateAccept:
		j.socket(h).linger = linger{}
	case soDontLinger:
		s := j.socket(h)
		off := len(value) > 0 && value[0] != 0
		s.linger = linger{known: off} // turned on by this option: the time is not reported
	}
}

// accepted takes an accept that returned. Whether the socket has the listener's
// SO_LINGER is not known for certain: it has if that is off, and otherwise it
// is unknown until it is set.
func (j *Joiner) accepted(e *raw.Event, f *payload.Payload) {
	h := handle{e.PID, f.Pointer(payload.FieldSocketAccepted)}
	delete(j.sockets, h)
	s := j.socket(h)
	if listener := j.sockets[handle{e.PID, f.Pointer(payload.FieldSocketListening)}]; listener != nil {
		if !listener.linger.on {
			s.linger = listener.linger
		}
		s.gap = s.gap || listener.gap
		s.losses = min(s.losses, listener.losses)
	}
	t := j.threads[e.TID]
	if t == nil || t.acceptor == nil {
		return
	}
	s.ep = t.acceptor
	t.acceptor = nil
	if c := s.ep.conn; c != nil && !c.reported {
		s.conn, c.owner = c, model.OwnerAccept
		c.pid = e.PID
	}
}

// connectReturned binds the socket and the connection that the same thread asked for.
func (j *Joiner) connectReturned(e *raw.Event, f *payload.Payload, h handle, code uint32) {
	const wouldBlock = 10035
	t := j.threads[e.TID]
	if code != 0 && code != wouldBlock || t == nil || t.connecting == nil {
		return
	}
	peer := payload.SockAddr(f.Bytes(payload.FieldAddress))
	if c := t.connecting; complete(peer) && peer == c.tuple.peer {
		s := j.socket(h)
		s.conn = c
		c.gap = c.gap || j.late
	}
	t.connecting = nil
}

// failedCloses are the errors of closesocket after which the handle is still
// open (closesocket, Winsock reference).
var failedCloses = map[uint32]string{
	10004: "WSAEINTR",
	10035: "WSAEWOULDBLOCK",
	10036: "WSAEINPROGRESS",
	10038: "WSAENOTSOCK",
}

// closeReturned takes the end of a closesocket: here the socket gets its name,
// and with it SO_LINGER.
func (j *Joiner) closeReturned(e *raw.Event, h handle, code uint32) {
	t := j.threads[e.TID]
	var b bracket
	if t != nil && len(t.closing) > 0 {
		b = t.closing[len(t.closing)-1]
		t.closing = t.closing[:len(t.closing)-1]
	} else {
		b.losses = j.losses
	}
	s := j.sockets[h]
	c, torn := j.closing(e, t, s, &b)
	if name := failedCloses[code]; name != "" && !torn {
		j.closeFailed(e, s, &b, name)
		return
	}
	if c != nil && !c.reported && !c.close.done {
		c.close = closeCall{
			pid: e.PID, tid: e.TID, begin: b.begin, end: e.Time, done: true,
			uncertain: b.gap || j.late || b.losses != j.losses,
		}
		if s != nil {
			c.close.linger = s.linger
			c.close.uncertain = c.close.uncertain || s.gap || s.losses != j.losses
		}
	}
	delete(j.sockets, h)
}

// closing returns the connection of a closesocket that returned, and whether
// it was asked to close inside.
func (j *Joiner) closing(e *raw.Event, t *thread, s *socket, b *bracket) (c *conn, torn bool) {
	if s != nil && s.conn == nil && s.ep != nil {
		s.conn = s.ep.conn
	}
	if s != nil && s.conn != nil {
		return s.conn, s.conn == b.conn || b.several
	}
	switch {
	case b.conn != nil && !b.several:
		c = b.conn
	case b.begin == 0 && t != nil && t.asked != nil && within(t.askedAt, e.Time, closedGrace):
		c = t.asked
	}
	// Another process's connection can be asked to close in this thread, by
	// the stack, which interrupted it.
	if c == nil || c.pid != 0 && c.pid != e.PID {
		return nil, false
	}
	if s != nil {
		s.conn = c
	}
	return c, true
}

// closeFailed reports a closesocket that tore nothing down.
func (j *Joiner) closeFailed(e *raw.Event, s *socket, b *bracket, name string) {
	facts := model.Facts{
		Time:   e.Time,
		Closer: model.Closer{PID: int(e.PID), TID: int(e.TID), Call: model.CallClose},
	}
	facts.Process.PID, facts.Process.Source = int(e.PID), model.OwnerCloser
	facts.Evidence.Events = []model.EventRef{{Provider: raw.Sockets.String(), ID: e.ID}}
	facts.Evidence.Gap = j.gap || j.late || b.gap || b.losses != j.losses
	facts.Evidence.Uncounted = facts.Evidence.Gap && j.uncounted
	facts.Evidence.CloseTime = b.begin
	if s != nil {
		facts.Linger = s.linger.facts()
		if c := s.conn; c != nil {
			facts.ID = c.name()
			facts.Network = model.Network{Local: c.tuple.local, Peer: c.tuple.peer}
			facts.TCP.Role = c.role
		}
	}
	failed := model.NewEvent(model.KindCloseFailed, facts)
	failed.Error = name
	j.out = append(j.out, failed)
}

func (l *linger) facts() model.Linger {
	if !l.known {
		return model.Linger{}
	}
	out := model.Linger{On: model.Some(l.on)}
	if l.on {
		out.Seconds = model.Some(int(l.seconds))
	}
	return out
}
