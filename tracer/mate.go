//go:build linux

package tracer

import (
	"hash/maphash"
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// The other end of a connection within this host. The two end within microseconds of each
// other, or one is what the other's timers left behind. They have the same fingerprint,
// even across address translation, or each other's tuple.

// mateHash is the same for both ends of a connection.
func (t *recent) mateHash(e *bpf.TraceEnd) uint64 {
	if print := printOf(e); print != 0 {
		return uint64(print) * 0x9e3779b97f4a7c15 // Fibonacci hashing
	}
	n := endTuple(e)
	n.netns = 0
	return maphash.Comparable(t.seed, n) + maphash.Comparable(t.seed, n.reversed())
}

// printOf returns the fingerprint if the end's record has one.
func printOf(e *bpf.TraceEnd) model.Fingerprint {
	if !has(e, bpf.TraceFlagFLAG_ENDED) || wiped(e) || model.State(e.Last) == model.SynSent {
		return 0
	}
	return fingerprint(e)
}

func (t tuple) reversed() tuple {
	return tuple{t.peer, t.local, t.peerPort, t.localPort, t.netns}
}

// mate returns the other end of the connection of e, or nil. It is looked up when e is
// delivered, so that late messages count. Who has one end can learn its numbers, and make a
// socket with them in a network namespace of his own (TCP_REPAIR): it is the other end only
// if there is no better one.
func (t *recent) mate(e *ended) *ended {
	o := t.likelyMate(e)
	if o != nil && has(&e.end, bpf.TraceFlagFLAG_NESTED) && t.likelyMate(o) != e {
		return nil
	}
	return o
}

// likelyMate returns the last end that may be the other one of e: one that not anybody can
// have made, or the only one.
func (t *recent) likelyMate(e *ended) *ended {
	place := t.mates[e.hash%recentMax]
	var nested *ended
	several := false
	for range 64 { // tuples made to collide must not cost more
		o := t.at(place)
		if o == nil {
			break
		}
		if o != e && o.hash == e.hash && areMates(&e.end, &o.end) {
			if !has(&o.end, bpf.TraceFlagFLAG_NESTED) {
				return o
			}
			several = nested != nil
			nested = o
		}
		place = o.mated
	}
	if several {
		return nil
	}
	return nested
}

func areMates(a, b *bpf.TraceEnd) bool {
	const roles = bpf.TraceFlagFLAG_ACTIVE | bpf.TraceFlagFLAG_PASSIVE
	if a.Flags&roles != 0 && a.Flags&roles == b.Flags&roles || !overlap(a, b) {
		return false
	}
	if p, q := printOf(a), printOf(b); p != 0 && q != 0 {
		return p == q
	}
	if opened(a) && connecting(b) || opened(b) && connecting(a) || !sameHost(a, b) {
		return false
	}
	n := endTuple(a).reversed()
	n.netns = b.Netns
	return n == endTuple(b)
}

// strange: anybody can have made the network namespace of such an end.
const strange = bpf.TraceFlagFLAG_NESTED | bpf.TraceFlagFLAG_UNTRACKED

// sameHost: the addresses of both ends mean the same. In a network namespace of his own
// anybody can have those of others, and connect them: only the numbers of both ends, see
// printOf, show that he has the other one.
func sameHost(a, b *bpf.TraceEnd) bool {
	return a.Netns == b.Netns || !loopback(a) && (a.Flags|b.Flags)&strange == 0
}

// connecting: the end was never more than an attempt, which anybody can make by
// IP_FREEBIND from an address that is not this host's.
func connecting(e *bpf.TraceEnd) bool { return model.State(e.Last) == model.SynSent }

// opened: the connection was established, as far as is known.
func opened(e *bpf.TraceEnd) bool {
	return has(e, bpf.TraceFlagFLAG_PREEXISTING) && !connecting(e) || hasState(e.Path, model.Established)
}

// hasState reports whether a state is in what the kernel packed 4 bits each.
func hasState(packed uint64, state model.State) bool {
	for ; packed != 0; packed >>= 4 {
		if model.State(packed&0xf) == state {
			return true
		}
	}
	return false
}

// overlap: the port may have been used again. The other's connection must not have
// ended long before this one ended, or before it began.
func overlap(a, b *bpf.TraceEnd) bool {
	apart := time.Duration(int64(a.Ended) - int64(b.Ended))
	return apart.Abs() < recentFor && a.Started <= b.Ended && b.Started <= a.Ended
}

// loopback: each network namespace has loopback addresses of its own.
func loopback(e *bpf.TraceEnd) bool { return address(e.Family, &e.Local).IsLoopback() }

// otherEnd hands over what is known of the other end of the connection of e, which ended
// then. It was still open when this one was reset if it ended later: an end that sends a
// RST ends before, or is known to have sent it (tcp_abort and timers send first).
func (a *assembler) otherEnd(f *model.Facts, e *ended, ended uint64) {
	o := a.recent.mate(e)
	if o == nil {
		a.whoReset(f, &e.end, nil)
		return
	}
	a.answers.met(&e.end, &o.end)
	a.whoReset(f, &e.end, &o.end)
	f.PeerEnd = a.ids.of(o.id)
	f.PeerProcess = a.peerProcess(&o.end)
	f.Evidence.PeerOpen = f.TCP.RST.Received.Is(true) && o.end.Ended > ended && !sentRST(&o.end) && !has(&o.end, bpf.TraceFlagFLAG_UNTRACKED)
	if o.cause != model.CauseUnknown { // it was judged a moment ago
		a.event.Teardown.PeerCause = o.cause
		return
	}
	other := &a.other
	*other = model.Facts{}
	a.tcp(&other.TCP, &o.end)
	other.Linger = a.linger(&o.end)
	a.evidence(&other.Evidence, &o.end)
	a.event.Peer = other
}

// mates keeps the last processes at other ends, by their PIDs.
type mates [16]struct {
	owner bpf.TraceOwner
	peer  model.PeerProcess
}

// peerProcess describes the process of the other end.
func (a *assembler) peerProcess(e *bpf.TraceEnd) model.PeerProcess {
	if e.Source == 0 {
		return model.PeerProcess{PID: int(e.Closer.Tgid), Name: a.names.of(e.Closer.Comm)}
	}
	kept := &a.mates[e.Owner.Tgid%uint32(len(a.mates))]
	if kept.owner == e.Owner {
		return kept.peer
	}
	p := model.PeerProcess{PID: int(e.Owner.Tgid), Name: a.names.of(e.Owner.Comm)}
	if a.owners != nil {
		p.Container, p.K8s = a.owners.Container(e.Owner.Cgroup)
	}
	if p.Container == (model.Container{}) && p.K8s == (model.K8s{}) { // their names may become known later
		kept.owner, kept.peer = e.Owner, p
	}
	return p
}
