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

// timeWaits remembers the tuples of connections that went into TIME_WAIT, so
// that a reset for late data finds its connection. Half of all ends come here and
// next to none is asked for: a ring, chained by hash, takes a third of the time of
// a map from which the oldest is deleted.
type timeWaits struct {
	seed  maphash.Seed
	heads []uint64 // by hash: the number of the last one, counted from 1
	ring  []timeWait
	count uint64 // added so far
}

type timeWait struct {
	tuple tuple
	id    uint64 // 0: was asked for
	at    ktime
	prev  uint64 // number of the one before it with the same hash
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

func mapped(b *[16]byte) [16]byte {
	return [16]byte{10: 0xff, 11: 0xff, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}
}

func newTimeWaits() timeWaits {
	return timeWaits{seed: maphash.MakeSeed(), heads: make([]uint64, timeWaitMax)}
}

func (t *timeWaits) head(n tuple) *uint64 {
	return &t.heads[maphash.Comparable(t.seed, n)%timeWaitMax]
}

func (t *timeWaits) add(n tuple, id uint64, at ktime) {
	head := t.head(n)
	entry := timeWait{n, id, at, *head}
	if len(t.ring) < timeWaitMax {
		t.ring = append(t.ring, entry)
	} else {
		t.ring[t.count%timeWaitMax] = entry
	}
	t.count++
	*head = t.count
}

// take returns the number of the connection that was in TIME_WAIT at that time,
// once. The numbers of a chain fall: it ends where the ring has been written over.
func (t *timeWaits) take(n tuple, at ktime) (uint64, bool) {
	for number := *t.head(n); number != 0 && t.count-number < timeWaitMax; {
		entry := &t.ring[(number-1)%timeWaitMax]
		if entry.tuple == n {
			id := entry.id
			entry.id = 0
			return id, id != 0 && entry.at.add(timeWaitFor) >= at
		}
		number = entry.prev
	}
	return 0, false
}

// resetFromTimeWait: data came for a connection that had ended gracefully.
func (a *assembler) resetFromTimeWait(l *bpf.TraceLater, out emit) bool {
	id, ok := a.tw.take(tupleOf(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns), ktime(l.Time))
	if !ok {
		return true
	}
	f := a.next(model.KindOutcome)
	f.Time, f.ID = a.clock.time(ktime(l.Time)), a.ids.of(id)
	f.Network = network(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns)
	f.TCP.Path = model.PathOf(model.TimeWait)
	f.TCP.RST = model.RST{Sent: model.Some(true), Reason: a.reasons[l.Reason]}
	f.TCP.Loopback = f.Network.Loopback()
	f.Evidence.RSTReplyTimeWait = true
	f.Evidence.Later = true
	return out(&a.event)
}
