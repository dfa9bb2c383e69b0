//go:build linux

package tracer

import (
	"hash/maphash"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

const (
	recentMax = 32768 // bounds the table; the oldest entry goes
	// timeWaitFor is TCP_TIMEWAIT_LEN of every kernel.
	timeWaitFor = 60 * time.Second
	// recentFor is for how long an end is remembered: a peer that does not know may send
	// for minutes.
	recentFor = 5 * time.Minute
)

// recent remembers the connections that ended last, so that a reset for late data finds
// its connection and is reported with all that is known of it. Every end comes here and
// almost none is looked up: a ring, chained by hash, takes a third of the time of a map
// from which the oldest is deleted.
type recent struct {
	seed  maphash.Seed
	heads []uint32 // by the tuple's hash: the place of the last one
	mates []uint32 // the same by what both ends of a connection have in common
	socks []uint32 // the same by the socket's address, of ends that are held
	ring  []*ended
	count uint64 // added so far
	// chained of them are in the chains of tuples: all others are put there when one is
	// looked up, which is rare.
	chained uint64
	// fresh were never used; free were pushed out of the ring while they were held.
	fresh  []ended
	free   []*ended
	memory *remembered
	// pushed are the latest held ends of sockets that the ring has no more room for.
	pushed map[uint64]*ended
	// resets are the places of the last ends by a reset, and reset how many there were.
	resets [hitMax]uint32
	reset  uint32
}

// ended is a connection that has ended: held at first, for late evidence, then
// remembered. It has no pointers, so that the garbage collector need not scan what is
// remembered.
type ended struct {
	end    bpf.TraceEnd
	id     uint64
	hash   uint64 // of what its other end has too
	place  uint32 // its number, counted from 1, modulo 2^32, which the ring's length divides
	prev   uint32 // place of the one before it with the same hash of its tuple
	mated  uint32 // place of the one before it with the same hash
	below  uint32 // place of the held one before it in the chain of sockets
	held   bool   // not delivered yet
	waited bool   // its close() did
	open   bool   // its other end was found open
	gap    bool   // events were lost around the end
	// timeWait: a reset of its TIME_WAIT is still to be reported.
	timeWait bool
	// cause is what whoever took the event judged; unknown if it was not delivered.
	cause model.Cause
}

func (e *ended) time() ktime { return ktime(e.end.Ended) }

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

func endTuple(e *bpf.TraceEnd) tuple {
	return tupleOf(e.Family, &e.Local, &e.Peer, e.LocalPort, e.PeerPort, e.Netns)
}

func mapped(b *[16]byte) [16]byte {
	return [16]byte{10: 0xff, 11: 0xff, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}
}

func newRecent() recent {
	return recent{
		seed: maphash.MakeSeed(), memory: newRemembered(), ring: make([]*ended, recentMax), pushed: map[uint64]*ended{},
		heads: make([]uint32, recentMax), mates: make([]uint32, recentMax), socks: make([]uint32, recentMax),
	}
}

func (t *recent) head(n tuple) *uint32 {
	return &t.heads[maphash.Comparable(t.seed, n)%recentMax]
}

// add takes an end when its message comes.
func (t *recent) add(e *bpf.TraceEnd, id uint64) *ended {
	sock, hash := t.sock(e.Sock), t.mateHash(e)
	mated := &t.mates[hash%recentMax]
	slot := &t.ring[t.count%recentMax]
	if old := *slot; old == nil || old.held {
		if old != nil {
			t.pushed[old.end.Sock] = old
		}
		*slot = t.unused()
	}
	entry := *slot
	t.count++
	entry.end, entry.id, entry.place = *e, id, uint32(t.count)
	entry.hash, entry.mated = hash, *mated
	entry.held, entry.waited, entry.open, entry.gap, entry.timeWait = false, false, false, false, false
	entry.cause = model.CauseUnknown
	entry.below = *sock
	if last := t.at(*sock); last != nil && last.end.Sock == e.Sock {
		entry.below = last.below
	}
	*mated, *sock = entry.place, entry.place
	if has(e, bpf.TraceFlagFLAG_RST_RECEIVED) {
		t.resets[t.reset%hitMax] = entry.place
		t.reset++
	}
	return entry
}

// chain puts the ends that came since the last time into the chains of their tuples.
func (t *recent) chain() {
	if t.count > t.chained+recentMax {
		t.chained = t.count - recentMax // what came before is forgotten
	}
	for ; t.chained < t.count; t.chained++ {
		entry := t.ring[t.chained%recentMax]
		head := t.head(endTuple(&entry.end))
		entry.prev, *head = *head, entry.place
	}
}

func (t *recent) sock(address uint64) *uint32 {
	const multiplier = 0x9e3779b97f4a7c15 // Fibonacci hashing
	return &t.socks[address*multiplier>>32%recentMax]
}

// heldBy returns the latest end of a socket, if that is held, or nil. In a chain what
// is older than an end that was delivered was delivered too.
func (t *recent) heldBy(sock uint64) *ended {
	for entry := t.at(*t.sock(sock)); entry != nil && entry.held; entry = t.at(entry.below) {
		if entry.end.Sock == sock {
			return entry
		}
	}
	return t.pushed[sock]
}

func (t *recent) unused() *ended {
	if n := len(t.free); n > 0 {
		e := t.free[n-1]
		t.free = t.free[:n-1]
		return e
	}
	if len(t.fresh) == 0 {
		t.fresh = t.memory.more()
	}
	e := &t.fresh[0]
	t.fresh = t.fresh[1:]
	return e
}

// release says that an end is not held any more.
func (t *recent) release(e *ended) {
	e.held = false
	if t.pushed[e.end.Sock] == e {
		delete(t.pushed, e.end.Sock)
	}
	if t.ring[(e.place-1)%recentMax] != e { // at 2^32 ends a place is 0
		t.free = append(t.free, e)
	}
}

// at returns the end with that place, or nil if there is none any more.
func (t *recent) at(place uint32) *ended {
	if place == 0 || uint32(t.count)-place >= recentMax {
		return nil
	}
	return t.ring[(place-1)%recentMax]
}

// find returns the last connection with this tuple that had ended by then, or nil.
// It is valid until the next add. The places of a chain fall: it ends where the
// ring has been written over. What was sent in the kernel call that ended the
// connection, or on another processor, may have been sent a little before its end.
func (t *recent) find(n tuple, at ktime) *ended {
	t.chain()
	for entry := t.at(*t.head(n)); entry != nil; entry = t.at(entry.prev) {
		if endTuple(&entry.end) == n && ktime(entry.end.Ended) <= at.add(hold) {
			if ktime(entry.end.Ended).add(recentFor) < at {
				return nil
			}
			return entry
		}
	}
	return nil
}

// oldest returns since when all ends are remembered; 0 is from the beginning.
func (t *recent) oldest() ktime {
	if t.count <= recentMax {
		return 0
	}
	return ktime(t.ring[t.count%recentMax].end.Ended)
}

// inTimeWait returns the connection that was in TIME_WAIT at that time, once, or nil.
func (t *recent) inTimeWait(n tuple, at ktime) *ended {
	entry := t.find(n, at)
	if entry == nil || !entry.timeWait || ktime(entry.end.Ended).add(timeWaitFor) < at {
		return nil
	}
	entry.timeWait = false
	return entry
}

// resetFromTimeWait: the minisock that took over a connection, which had ended
// gracefully as far as was known, answered data with a reset, or received one. The
// outcome repeats the facts of the end, so that it can stand alone.
func (a *assembler) resetFromTimeWait(h *heldReset, out emit) bool {
	l := &h.later
	tw := a.recent.inTimeWait(tupleOf(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns), ktime(l.Time))
	if tw == nil {
		return true
	}
	e := &tw.end
	f := a.next(model.KindOutcome)
	a.facts(f, e)
	f.Time, f.ID = a.clock.time(ktime(l.Time)), a.ids.of(tw.id)
	a.otherEnd(f, tw, l.Time)
	if e.Started != 0 {
		f.Duration = model.Some(time.Duration(l.Time - e.Started))
	}
	f.Evidence.Gap = f.Evidence.Gap || tw.gap
	f.Evidence.Later = true
	if h.received { // the peer sent that, and no FIN
		f.TCP.RST.Received, f.TCP.FIN.Received, f.TCP.TimeWait = model.Some(true), model.Some(false), model.Some(false)
		f.Evidence.RSTReceivedBefore = true
		return out(&a.event)
	}
	f.TCP.RST.Sent, f.TCP.RST.Reason = model.Some(true), a.reasons[l.Reason]
	f.Evidence.RSTReplyTimeWait = true
	return out(&a.event)
}
