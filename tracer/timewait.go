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
	timeWaitMax = 32768 // bounds the table; the oldest entry goes
	// timeWaitFor is TCP_TIMEWAIT_LEN of every kernel.
	timeWaitFor = 60 * time.Second
)

// timeWaits remembers connections that went into TIME_WAIT, so that a reset for
// late data finds its connection and is reported with all that is known of it.
// Half of all ends come here and next to none is asked for: a ring, chained by
// hash, takes a third of the time of a map from which the oldest is deleted.
type timeWaits struct {
	seed  maphash.Seed
	heads []uint64 // by hash: the number of the last one, counted from 1
	ring  []timeWait
	count uint64 // added so far
}

type timeWait struct {
	end  bpf.TraceEnd
	id   uint64 // 0: was asked for
	prev uint64 // number of the one before it with the same hash
	gap  bool   // events were lost around the end
}

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

func newTimeWaits() timeWaits {
	return timeWaits{seed: maphash.MakeSeed(), heads: make([]uint64, timeWaitMax)}
}

func (t *timeWaits) head(n tuple) *uint64 {
	return &t.heads[maphash.Comparable(t.seed, n)%timeWaitMax]
}

func (t *timeWaits) add(e *bpf.TraceEnd, id uint64, gap bool) {
	head := t.head(endTuple(e))
	if len(t.ring) < timeWaitMax {
		t.ring = append(t.ring, timeWait{})
	}
	entry := &t.ring[t.count%timeWaitMax]
	entry.end, entry.id, entry.prev, entry.gap = *e, id, *head, gap
	t.count++
	*head = t.count
}

// take returns the connection that was in TIME_WAIT at that time, once, or nil. It
// is valid until the next add. The numbers of a chain fall: it ends where the ring
// has been written over.
func (t *timeWaits) take(n tuple, at ktime) (*timeWait, uint64) {
	for number := *t.head(n); number != 0 && t.count-number < timeWaitMax; {
		entry := &t.ring[(number-1)%timeWaitMax]
		if endTuple(&entry.end) == n {
			id := entry.id
			entry.id = 0
			if id == 0 || ktime(entry.end.Ended).add(timeWaitFor) < at {
				return nil, 0
			}
			return entry, id
		}
		number = entry.prev
	}
	return nil, 0
}

// resetFromTimeWait: data came for a connection that had ended gracefully. The
// outcome repeats the facts of the end, so that it can stand alone.
func (a *assembler) resetFromTimeWait(l *bpf.TraceLater, out emit) bool {
	tw, id := a.tw.take(tupleOf(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns), ktime(l.Time))
	if tw == nil {
		return true
	}
	e := &tw.end
	f := a.next(model.KindOutcome)
	a.facts(f, e)
	f.Time, f.ID = a.clock.time(ktime(l.Time)), a.ids.of(id)
	if e.Started != 0 {
		f.Duration = model.Some(time.Duration(l.Time - e.Started))
	}
	f.TCP.RST.Sent, f.TCP.RST.Reason = model.Some(true), a.reasons[l.Reason]
	f.Evidence.Gap = f.Evidence.Gap || tw.gap
	f.Evidence.RSTReplyTimeWait = true
	f.Evidence.Later = true
	return out(&a.event)
}
