package join

import (
	"maps"
	"slices"
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

const (
	// closedGrace is how long after its end a connection is reported: until
	// then the events around the end have come. An abort belongs to a
	// closesocket that returned at most this long before.
	closedGrace = 250 * time.Millisecond
	// quietGrace is the same after an event that means the end, where the
	// transition to closed does not come.
	quietGrace = 2 * time.Second
)

// limits bound the memory, of all together to less than 100 MB. They are above
// what servers have; beyond them a trace is hostile, or ends were not seen.
type limits struct {
	conns, sockets, threads, past, listed int
	// queued is for each queue, atOnce how many ends one event can make known.
	queued, atOnce int
}

var usual = limits{conns: 1 << 16, sockets: 1 << 16, threads: 1 << 14, past: 1 << 17, listed: 1 << 12, queued: 1 << 16, atOnce: 1 << 10}

// Joiner turns events into facts. It is for one goroutine.
type Joiner struct {
	decoder *payload.Decoder
	limits  limits
	// began is the time of the first event.
	began model.Time
	// now is the latest time seen; late says that the current event is older.
	now  model.Time
	late bool
	// losses counts the moments at which events were lost.
	losses uint32
	// gap is set if all events may have gaps among them, gapUntil if those
	// before it may.
	gap      bool
	gapUntil model.Time
	// uncounted: see Uncounted.
	uncounted bool
	// counted: see LossesAreCounted.
	counted bool

	conns     map[uint64]*conn
	byTuple   map[tuple]*conn
	byPeer    map[model.Endpoint]*conn
	endpoints map[uint64]*endpoint
	accepts   map[model.Endpoint]*endpoint
	sockets   map[handle]*socket
	threads   map[uint32]*thread
	kernel    map[tuple]*conn
	sawTCPIP  bool
	sawStates bool // event 1051: each connection's end is told
	down      interfaceDown
	born      uint64
	// unused counts, by where, the events that were not read or not used since
	// unusedTold.
	unused     map[string]uint64
	unusedTold model.Time

	closed, quiet, forget queue
	past                  pastConns
	listed                pastConns // entries of the list of failures
	out                   []model.Event
}

// New returns a Joiner without connections.
func New() *Joiner {
	return &Joiner{
		decoder:   payload.NewDecoder(),
		limits:    usual,
		conns:     make(map[uint64]*conn),
		byTuple:   make(map[tuple]*conn),
		byPeer:    make(map[model.Endpoint]*conn),
		endpoints: make(map[uint64]*endpoint),
		accepts:   make(map[model.Endpoint]*endpoint),
		sockets:   make(map[handle]*socket),
		threads:   make(map[uint32]*thread),
		kernel:    make(map[tuple]*conn),
		unused:    make(map[string]uint64),
		past:      pastConns{set: make(map[uint64]uint64)},
		listed:    pastConns{set: make(map[uint64]uint64)},
	}
}

// Decoder returns the decoder, for its counts of failures.
func (j *Joiner) Decoder() *payload.Decoder { return j.decoder }

// Add takes the next event.
func (j *Joiner) Add(e *raw.Event) {
	if j.began == 0 {
		j.began = e.Time
	}
	p := raw.ProviderOf(&e.Provider)
	if p == raw.Other {
		return
	}
	if j.late = e.Time < j.now; !j.late {
		j.Advance(e.Time)
	} else if j.now.Sub(e.Time) > closedGrace {
		j.miss("order", 1) // what it is about may have been reported without it
	}
	switch p {
	case raw.TCPIP:
		j.tcp(e)
	case raw.AFD:
		j.afd(e)
	case raw.Sockets:
		j.call(e)
	case raw.KernelNetwork, raw.KernelTCP:
		j.disconnect(p, e)
	case raw.LostEvents:
		// RTLostEvent (32), RTLostBuffer (33), RTLostFile (34): the session
		// lost at least one event here.
		switch {
		case e.Opcode < 32 || e.Opcode > 34:
		case j.counted:
			j.losses++
		default:
			j.Lost(1, "session", e.Time)
		}
	case raw.Other:
	}
}

// decode decodes the payload of e. Without it nothing is known of the event:
// it counts as lost.
func (j *Joiner) decode(p raw.Provider, e *raw.Event) (*payload.Payload, bool) {
	f, err := j.decoder.Decode(p, e)
	if err != nil {
		j.miss("payload", 1)
		return nil, false
	}
	return f, true
}

// Advance says that it is now, and that events before now will not come.
func (j *Joiner) Advance(now model.Time) {
	j.now = max(j.now, now)
	j.expire(&j.closed)
	j.expire(&j.quiet)
	j.expireForgotten()
	if len(j.unused) > 0 && j.now.Sub(j.unusedTold) > time.Second {
		j.tellUnused()
	}
}

// miss counts n events that are as good as lost: there is a gap around every
// connection that is open.
func (j *Joiner) miss(where string, n uint64) {
	j.losses++
	j.unused[where] += n
}

// tellUnused reports what was counted: at most once a second.
func (j *Joiner) tellUnused() {
	for _, where := range slices.Sorted(maps.Keys(j.unused)) {
		j.out = append(j.out, model.Event{Record: model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: j.now, Count: j.unused[where], Where: where}}})
	}
	clear(j.unused)
	j.unusedTold = j.now
}

// Lost reports that count events were lost in where, about now.
func (j *Joiner) Lost(count uint64, where string, at model.Time) {
	j.losses++
	j.out = append(j.out, model.Event{Record: model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: at, Count: count, Where: where}}})
}

// LossesAreCounted says that the source knows how many events its session
// lost: the session's own events about losses then only say when.
func (j *Joiner) LossesAreCounted() { j.counted = true }

// Follow sets how many open connections are followed.
func (j *Joiner) Follow(connections int) { j.limits.conns = connections }

// Incomplete says that events were lost, and nobody knows when: there is a gap
// around every connection.
func (j *Joiner) Incomplete() { j.gap = true }

// Uncounted says that nobody knows how many events are missing in the gaps.
func (j *Joiner) Uncounted() { j.uncounted = true }

// IncompleteUntil says that events before t were lost: there is a gap around
// the connections that are or were open before it.
func (j *Joiner) IncompleteUntil(t model.Time) {
	j.losses++
	j.gapUntil = max(j.gapUntil, t)
}

// End says that no events will come: what has ended is reported. It reports a
// part of it and returns true if there is more: call it again after Take.
func (j *Joiner) End() (more bool) {
	if j.drain(&j.closed) || j.drain(&j.quiet) {
		return true
	}
	j.tellUnused()
	return false
}

// Take returns the events that are known by now and forgets them. The slice is
// valid until the next call of another method.
func (j *Joiner) Take() []model.Event {
	out := j.out
	j.out = j.out[:0]
	return out
}

// Open returns the number of connections that are followed at present.
func (j *Joiner) Open() int { return len(j.conns) }
