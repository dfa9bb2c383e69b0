//go:build linux

package tracer

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestResetAlone: one search of the kernel's table is for all ends that were reset at the same
// moment, also if only the first of them is due; the table may be too large to be searched soon again.
func TestResetAlone(t *testing.T) {
	a := newAssembler(translator{}, "test")
	const first = 1_000_000_000
	for i := range uint64(3) {
		e := sampleEnd(0xffff888000000000+i*4096, first+i*uint64(30*time.Millisecond))
		e.LocalPort += uint16(i)
		e.SndUna += uint32(i) // the fingerprint
		e.Flags |= bpf.TraceFlagFLAG_RST_RECEIVED
		a.hold(&e)
	}
	begin := ktime(first)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{hold - 1, 0}, {hold, 2}, {hold + 30*time.Millisecond, 3}} {
		if got := len(a.resetAlone(0, begin.add(c.after))); got != c.want {
			t.Errorf("%s after the first: %d ends are looked for, want %d", c.after, got, c.want)
		}
	}
	if got := len(a.resetAlone(begin, begin.add(hold+30*time.Millisecond))); got != 2 {
		t.Errorf("one was looked for before: %d ends are looked for, want 2", got)
	}
}

// resetPair returns the end of a connection that was reset, and that of its other end,
// which sent no reset.
func resetPair(reset, other uint64) (a, b bpf.TraceEnd) {
	a = sampleEnd(0xffff888000000000, reset)
	a.Flags |= bpf.TraceFlagFLAG_RST_RECEIVED
	b = a
	b.Sock, b.Ended, b.Flags = a.Sock+4096, other, a.Flags&^bpf.TraceFlagFLAG_ACTIVE|bpf.TraceFlagFLAG_PASSIVE
	b.Local, b.Peer, b.LocalPort, b.PeerPort = a.Peer, a.Local, a.PeerPort, a.LocalPort
	return a, b
}

// TestOtherEndEndsDuringTheSearch: an other end that is not found open may have ended
// after the ring was read and before the search was over. Then its end is in the ring.
func TestOtherEndEndsDuringTheSearch(t *testing.T) {
	const reset = uint64(10e9)
	for name, busy := range map[string]bool{"the ring was empty": false, "the ring is being read": true} {
		a, b := resetPair(reset, reset+400e6)
		p := newPlayed(t)
		p.host.at = int64(reset)
		first := batch{messages: [][]byte{rawOf(&a)}, then: p.waitsFor(300 * time.Millisecond)}
		late := batch{messages: [][]byte{rawOf(&b)}}
		if busy {
			for n := range uint64(1100) { // what shows that the reset is due
				first.messages = append(first.messages, endAt(n+1, reset+200e6))
			}
			first.messages = append(first.messages, late.messages...)
			late.messages = nil
		}
		p.ring.all = []batch{first, {}, late}
		looks := 0
		p.seek.open = func(func(*bpf.TraceEnd)) {
			looks++
			p.host.at = int64(reset + 500e6)
		}
		found := false
		for _, e := range p.events(t) {
			if e.Teardown.PeerEnd != "" && e.Teardown.Evidence.PeerOpen {
				found = true
			}
		}
		if !found || looks != 1 {
			t.Errorf("%s: the other end was known to be open: %v, after %d searches", name, found, looks)
		}
	}
}

// TestResetsAreReportedWhileOthersCome: each search is for those that are due and were not
// looked for yet, and holds nothing up for longer than a round.
func TestResetsAreReportedWhileOthersCome(t *testing.T) {
	p := newPlayed(t)
	const rounds, each = 20, 200 * time.Millisecond
	for n := range uint64(rounds) {
		e := sampleEnd(n+1, 10e9+n*uint64(each))
		e.Flags |= bpf.TraceFlagFLAG_RST_RECEIVED
		p.ring.all = append(p.ring.all, batch{messages: [][]byte{rawOf(&e)}, then: p.waitsFor(each)}, batch{}, batch{})
	}
	looks, reported := 0, 0
	p.seek.open = func(func(*bpf.TraceEnd)) {
		if looks++; reported < looks-1 {
			t.Errorf("%d of %d are reported", reported, looks-1)
		}
	}
	for range p.Events(p.ctx) {
		reported++
	}
	if looks != rounds || reported != rounds {
		t.Errorf("%d searches, %d ends, want %d", looks, reported, rounds)
	}
}

// TestSearchInAFlood: where the reader is far behind, no more ends wait for what was sent
// during a search than are remembered.
func TestSearchInAFlood(t *testing.T) {
	p := newPlayed(t)
	var messages [][]byte
	for n := range uint64(3 * recentMax) {
		e := sampleEnd(n+1, 1e9+n*1e4)
		e.Flags |= bpf.TraceFlagFLAG_RST_RECEIVED
		messages = append(messages, rawOf(&e))
	}
	p.ring.all = []batch{{messages: messages}}
	reported, held := 0, 0
	p.ring.read = func(n int) { held = max(held, n-reported) }
	for range p.Events(p.ctx) {
		reported++
	}
	if reported != len(messages) || held > recentMax {
		t.Errorf("%d of %d are reported, up to %d waited", reported, len(messages), held)
	}
}

// TestOtherEndAtTheEndOfTheTrace: what is still held then was not looked for before.
func TestOtherEndAtTheEndOfTheTrace(t *testing.T) {
	a, b := resetPair(10e9, 0)
	b.Flags &^= bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_RST_RECEIVED
	b.Path = uint64(model.Established)
	p := newPlayed(t)
	p.ring.all = []batch{{messages: [][]byte{rawOf(&a)}}}
	p.seek.open = func(do func(*bpf.TraceEnd)) { do(&b) }
	if events := p.events(t); len(events) != 1 || !events[0].Teardown.Evidence.PeerOpen {
		t.Errorf("got %+v", events)
	}
	if b.Flags |= bpf.TraceFlagFLAG_RST_SENT_BEFORE; isOpenMate(&b, &ended{end: a}) {
		t.Error("the other end has sent a reset and is about to end")
	}
}
