package findings

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
)

// The indexes by which an end is found.
const (
	byID = iota
	byTuple
	byFingerprint
	indexes
)

// index is a hash table whose chains are in the ends themselves, the newest first. They
// are linked both ways: thousands of ends may have one id or one tuple, and dropping one
// must not walk past the others.
type index struct {
	heads []*end
	which int
	steps uint64 // links followed since the beginning, for tests
}

// link is an end's place in an index. Its hash is 0 if it is not in it.
type link struct {
	hash     uint32
	next     *end
	previous *end // nil for the first
}

// maxSteps bounds a search: a stream crafted to collide must not cost more.
const maxSteps = 64

func (x *index) head(hash uint32) **end { return &x.heads[(hash>>1)%uint32(len(x.heads))] }

func (x *index) add(e *end, hash uint64) {
	h := uint32(hash) | 1
	head := x.head(h)
	if *head != nil {
		(*head).links[x.which].previous = e
	}
	e.links[x.which] = link{hash: h, next: *head}
	*head = e
}

func (x *index) remove(e *end) {
	at := &e.links[x.which]
	switch {
	case at.hash == 0:
		return
	case at.previous != nil:
		at.previous.links[x.which].next = at.next
	default:
		*x.head(at.hash) = at.next
	}
	if at.next != nil {
		at.next.links[x.which].previous = at.previous
	}
	*at = link{}
}

// find returns the newest end with this hash for which is holds.
func (x *index) find(hash uint64, is func(*end) bool) *end {
	h := uint32(hash) | 1
	e := *x.head(h)
	for range maxSteps {
		if e == nil {
			return nil
		}
		x.steps++
		if e.links[x.which].hash == h && is(e) {
			return e
		}
		e = e.links[x.which].next
	}
	return nil
}

// tupleHash is the same for both ends of a connection.
func tupleHash(e *end) uint64 {
	return endpointHash(e.local) + endpointHash(e.peer)
}

func endpointHash(a netip.AddrPort) uint64 {
	b := a.Addr().As16()
	h := binary.LittleEndian.Uint64(b[:8])*0x9e3779b97f4a7c15 + binary.LittleEndian.Uint64(b[8:])
	h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
	h += uint64(a.Port()) * 0x94d049bb133111eb
	return h ^ h>>32
}

func idHash(seed maphash.Seed, id string) uint64 { return maphash.String(seed, id) }
