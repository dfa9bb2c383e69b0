//go:build linux

package tracer

import (
	"encoding/binary"
	"testing"
	"time"
	"unsafe"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, unsafe.Sizeof(bpf.TraceEnd{})))
	f.Add([]byte{1, 0, 0, 0})
	end := sampleEnd(1, 1_000_000_000)
	f.Add(append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&end)), unsafe.Sizeof(end))...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		// The ring's records are aligned; a slice of the fuzzer may not be.
		aligned := make([]uint64, len(raw)/8+1)
		record := unsafe.Slice((*byte)(unsafe.Pointer(&aligned[0])), len(raw))
		copy(record, raw)
		var m message
		if err := m.decode(record); err != nil {
			return
		}
		if len(raw) < int(unsafe.Sizeof(bpf.TraceLater{})) {
			t.Fatalf("a message of %d bytes was taken", len(raw))
		}
		tr := translator{hertz: 250}
		var facts model.Facts
		tr.facts(&facts, &m.end)
		model.Classify(&facts)
	})
}

// script makes messages of the fuzzer's bytes: few sockets and times, so that
// they meet.
type script struct {
	bytes []byte
	now   ktime
}

func (s *script) next() byte {
	if len(s.bytes) == 0 {
		return 0
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return b
}

func (s *script) message(m *message) {
	m.kind = bpf.TraceMessage(s.next()%8 + 1)
	s.now = s.now.add(time.Duration(s.next()) * 3 * time.Millisecond)
	sock, lost := uint64(s.next()%4), uint32(s.next()/64)
	past := s.now.add(-time.Duration(s.next()) * 10 * time.Millisecond)
	if m.hasEnd() {
		var raw [unsafe.Sizeof(bpf.TraceEnd{})]byte
		for i := range 24 { // flags, state, times: wherever they fall
			raw[(i*37+int(s.next()))%len(raw)] = s.next()
		}
		m.end = *(*bpf.TraceEnd)(unsafe.Pointer(&raw))
		m.end.Sock, m.end.Lost, m.end.CloseBegan, m.end.Ended = sock, lost, uint64(past), uint64(s.now)
		m.end.Lingering, m.end.Linger, m.end.Lingertime = s.next()&1, 1, uint32(s.next())
		m.end.LeftUs, m.end.LocalPort, m.end.Family = uint32(s.now-past)/1000, uint16(sock), 2
		m.end.Flags &^= bpf.TraceFlagFLAG_ENDED
		if m.kind == bpf.TraceMessageMESSAGE_END {
			m.end.Flags |= bpf.TraceFlagFLAG_ENDED
		}
		return
	}
	m.later = bpf.TraceLater{
		Message: m.kind, Lost: lost, Sock: sock, Time: uint64(s.now), Reason: s.next(), Call: s.next() % 7,
		ReturnedUs: uint32(s.now-past) / 1000, LocalPort: uint16(sock), Family: 2, Netns: uint32(s.next() % 2),
	}
}

// FuzzAssembler: whatever the kernel says, each end is told once, under an ID of
// its own or that of its linger-timeout, and nothing is kept for ever.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte("\x01\x00\x01\x00\x00"))
	f.Add([]byte{1, 1, 0, 0, 0, 3, 2, 0, 0, 0, 2, 1, 9, 1, 0, 0, 200, 4, 4, 4, 9, 9})
	seed := make([]byte, 0, 4096)
	for i := range 512 {
		seed = binary.LittleEndian.AppendUint64(seed, uint64(i)*0x9e3779b97f4a7c15)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, input []byte) {
		s := script{bytes: input, now: 1_000_000_000}
		a := newAssembler(translator{hertz: 100}, "f")
		check := tellingOnce{t: t, teardowns: map[string]bool{}, outcomes: map[string]bool{}}
		ends := 0
		for len(s.bytes) > 0 {
			var m message
			s.message(&m)
			if m.kind == bpf.TraceMessageMESSAGE_END {
				ends++
			}
			a.message(&m, check.take)
			if s.next()&3 == 0 {
				a.advance(s.now, uint32(s.next()/64), check.take)
			}
		}
		a.flush(9, check.take)
		if check.ends != ends {
			t.Errorf("%d ends told, want %d", check.ends, ends)
		}
		if a.held.front() != nil || a.resets.front() != nil || len(a.recent.pushed)+len(a.waited) != 0 {
			t.Errorf("kept after the flush: %d ends, %d resets, %d others", len(a.held.items), len(a.resets.items), len(a.recent.pushed)+len(a.waited))
		}
		if n, due, reported := len(a.waits.bySock), len(a.waits.due), len(a.waits.young); n != due || n+reported > 4 {
			t.Errorf("kept %d waits and %d reported ones of 4 sockets, %d in the heap", n, reported, due)
		}
	})
}

// tellingOnce counts the ends in the events and checks their IDs.
type tellingOnce struct {
	t                   *testing.T
	teardowns, outcomes map[string]bool
	ends                int
}

func (c *tellingOnce) take(e *model.Event) bool {
	f := &e.Teardown.Facts
	switch e.Kind {
	case model.KindTeardown:
		if c.teardowns[f.ID] {
			c.t.Errorf("two teardowns of ID %s", f.ID)
		}
		c.teardowns[f.ID] = true
		if f.Evidence.Owned.Known() && model.Classify(f).Verdict != model.LingerTimeout {
			c.ends++
		}
	case model.KindOutcome:
		if !c.teardowns[f.ID] {
			c.t.Errorf("an outcome without a teardown: %s", f.ID)
		}
		if c.outcomes[f.ID] {
			c.t.Errorf("two outcomes of ID %s", f.ID)
		}
		c.outcomes[f.ID] = true
		if !f.Evidence.RSTReplyTimeWait {
			c.ends++
		}
	default:
		c.t.Errorf("event of kind %v", e.Kind)
	}
	return true
}
