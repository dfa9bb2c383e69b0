package findings

import (
	"hash/maphash"
	"time"
	"unsafe"

	"github.com/closetrace/closetrace/model"
)

const (
	// kept is how many ends are remembered, to join them with their other end and
	// with their outcome: at 80,000 a second those of the last 300 ms, which is what hold
	// and batch need, and 12 MB.
	kept = 24 << 10
	// slab is how many bytes of ends are allocated at once: an object of the collector, of
	// a size that it does not round up.
	slab = 32 << 10
	// hold is how long an end waits, in the time of the stream, before it is judged: ends
	// do not come in strict order, and the other end may come after this one.
	hold = 250 * time.Millisecond
	// batch is how often ends are judged.
	batch = 50 * time.Millisecond
	// joinable is how far apart the two ends of one connection may be.
	joinable = 10 * time.Minute
)

// Engine looks for patterns. It is for one goroutine.
type Engine struct {
	seed    maphash.Seed
	ring    []*end // the last ends, for joining; the oldest at at
	fresh   []end  // not used yet
	at      int
	indexes [indexes]index
	waiting []*end // not judged yet, in the order in which they came
	ready   []*end
	walked  uint64 // waiting ends looked at since the beginning, for tests
	scratch end
	orphans int // outcomes whose ends have not come
	match   match
	newest  model.Time // of the stream
	judged  model.Time // all ends up to here are judged
	first   model.Time

	total     uint64 // connections
	ordinary  uint64 // ends that were only counted
	lost      uint64 // events
	processes names  // ends of each
	services  map[service]*server
	refusals  refusals
	troubles  refusals
	unheard   unheard
	addresses addresses
	groups    map[key]*group
	sparse    int    // groups that may have too few connections to be a finding
	untracked uint64 // ends that found no free group
	counters  overflow
	moments   moments
	bursts    bursts
	partings  partings
	brokers   map[key]*takeovers // by process and port
	dials     dials
	timeWaits rolling
	opens     names // connections of each process that are open
	leaks     []leak
	seen      model.Time // when these were
	tries     tries      // attempts that nobody answered
	captured  bool       // of a packet capture, that has no processes and no calls
}

// New returns an engine that has seen nothing.
func New() *Engine {
	e := &Engine{
		seed: maphash.MakeSeed(), groups: map[key]*group{},
		services: map[service]*server{}, processes: names{},
		counters: overflow{}, addresses: addresses{}, brokers: map[key]*takeovers{}, dials: dials{},
	}
	for i := range e.indexes {
		e.indexes[i] = index{heads: make([]*end, kept), which: i}
	}
	return e
}

// Add takes the next record of the stream.
func (e *Engine) Add(r *model.Record) {
	if when := r.Time(); when > e.newest {
		e.Advance(when)
	}
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		e.end(r)
	case model.KindLoss:
		e.lost += r.Loss.Count
	case model.KindStray:
		e.stray(r)
	case model.KindCounters:
		e.count(&r.Counters)
	case model.KindClock:
		e.flush()
		e.newest, e.judged = r.Clock.Time, min(e.judged, r.Clock.Time) // a clock that was set back must not stop the judging
	case model.KindStop:
		e.lost = max(e.lost, r.Stop.Lost)
		e.flush()
	case model.KindCounts:
		e.ordinary += uint64(r.Counted.Net())
		e.tries.counted(r.Teardown.Network.NetNS, r.Teardown.Network.Peer.Port, r.Counted.Net())
	case model.KindStart:
		e.flush() // of the recording before it
		e.captured = r.Start.Captured()
	case model.KindUnknown, model.KindCloseFailed, model.KindTable:
	}
}

// Advance moves the stream's time to now, for a live trace in which nothing ends.
func (e *Engine) Advance(now model.Time) {
	if e.first == 0 {
		e.first = now
	}
	if e.newest = max(e.newest, now); e.newest.Sub(e.judged) >= hold+batch {
		e.judgeUntil(e.newest.Add(-hold))
	}
}

// Finish judges what waits; for a stream that has no stop record, or was cut.
func (e *Engine) Finish() { e.flush() }

// flush judges what waits: no more will come that belongs to it.
func (e *Engine) flush() { e.judgeUntil(1<<63 - 1) }

func (e *Engine) end(r *model.Record) {
	x := e.slot()
	x.fill(&r.Teardown)
	early := e.early(r)
	if r.Kind == model.KindOutcome {
		if before := e.byID(x.id); before != nil && !before.orphan {
			e.scratch = *x
			e.inherit(x, before)
		} else {
			e.orphan(x)
		}
		x.later = true
	} else {
		e.indexes[byID].add(x, idHash(e.seed, x.id))
		e.bursts.add(x)
		e.partings.add(x)
	}
	e.join(x)
	e.waiting = append(e.waiting, x)
	if early != nil {
		e.adopt(early, x)
	}
}

// inherit makes x, an outcome, the end before with what the outcome says.
func (e *Engine) inherit(x, before *end) {
	*x = *before
	x.amend(&e.scratch)
	x.other, x.judged, x.explained = nil, false, false
	x.links = [indexes]link{}
	x.explained = before.explained
	x.counted, x.amended = true, false
	before.amended = true // if it is not judged yet, the outcome stands for it
	e.indexes[byTuple].remove(before)
	e.indexes[byFingerprint].remove(before)
}

// stray joins a reset that this host sent without a socket with the end that it hit. That
// may be judged already: such resets are reported once a second. A reset for a request
// that waits in a listener's queue (tcp_abort_on_overflow) has another reason than that
// there is no socket, and comes from the other end. A listener whose connection is not known
// under these addresses (a NAT has forgotten them) gives TCP_FLAGS (tcp_rcv_state_process, an
// ACK in LISTEN); it does so too for a connection that waited in vain to be accepted.
func (e *Engine) stray(record *model.Record) {
	reason := record.Teardown.TCP.RST.Reason
	if record.Stray.Why == model.StrayNoListener && record.Stray.Hit != "" {
		e.unheard.add(record.Teardown.Network.Local.AddrPort())
	}
	if record.Stray.Why != model.StrayNotOurs || reason != "" && reason != "NO_SOCKET" && reason != "TCP_FLAGS" {
		return
	}
	e.scratch.fill(&record.Teardown)
	r := &e.scratch
	hit := e.indexes[byTuple].find(tupleHash(r), func(x *end) bool {
		apart := x.time.Sub(record.Stray.First)
		return x.local == r.peer && x.peer == r.local && x.cause == model.CausePeerReset && (x.netns == r.netns || x.id == short(record.Stray.Hit)) &&
			apart > -2*time.Second && apart < 2*time.Second
	})
	if hit == nil || hit.explained && !hit.weak || reason != "NO_SOCKET" && !hit.exchanged() {
		return
	}
	hit.explained = false
	if hit.stray, hit.strayWhy = true, reason != ""; hit.judged {
		e.judge(hit)
	}
}

// slot returns an end to fill, the oldest if all are in use.
func (e *Engine) slot() *end {
	if len(e.ring) < kept {
		if len(e.fresh) == 0 {
			e.fresh = make([]end, slab/unsafe.Sizeof(end{}))
		}
		x := &e.fresh[0]
		e.fresh = e.fresh[1:]
		e.ring = append(e.ring, x)
		return x
	}
	x := e.ring[e.at]
	e.at = (e.at + 1) % kept
	if !x.judged {
		e.judgeHalf(x)
	}
	e.forget(x)
	return x
}

func (e *Engine) byID(id string) *end {
	return e.indexes[byID].find(idHash(e.seed, id), func(x *end) bool { return x.id == id })
}

// join finds the other end of x's connection.
func (e *Engine) join(x *end) {
	if !x.local.IsValid() || !x.peer.IsValid() {
		return
	}
	hash := tupleHash(x)
	other := e.indexes[byTuple].find(hash, func(o *end) bool {
		return o.local == x.peer && o.peer == x.local && joins(x, o) && sameHost(x, o)
	})
	if other == nil && x.fingerprint != 0 {
		other = e.indexes[byFingerprint].find(uint64(x.fingerprint), func(o *end) bool {
			return o.fingerprint == x.fingerprint && joins(x, o)
		})
	}
	if other != nil {
		if was := other.other; was != nil {
			was.other = nil
		}
		x.other, other.other = other, x
	}
	e.indexes[byTuple].add(x, hash)
	if x.fingerprint != 0 {
		e.indexes[byFingerprint].add(x, uint64(x.fingerprint))
	}
}

// sameHost: the addresses of both ends mean the same. In a network namespace of his own
// anybody has those of others; the source knows which namespaces anybody can make.
func sameHost(a, b *end) bool {
	return a.netns == b.netns || a.mate != "" && a.mate == b.id || b.mate != "" && b.mate == a.id ||
		a.fingerprint != 0 && b.fingerprint != 0 && !a.local.Addr().IsLoopback()
}

// joins reports whether a and b may be of one connection, as far as roles, fingerprints
// and times show.
func joins(a, b *end) bool {
	apart := a.time.Sub(b.time)
	if apart < 0 {
		apart = -apart
	}
	if apart > joinable || a.id == b.id || a.role != model.RoleUnknown && a.role == b.role {
		return false
	}
	if a.fingerprint != 0 && b.fingerprint != 0 {
		return a.fingerprint == b.fingerprint
	}
	// The port may be used again: the other's connection must not have ended
	// before this one began.
	return a.began == 0 || b.began == 0 || a.began <= b.time && b.began <= a.time
}
