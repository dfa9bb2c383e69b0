package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nsqio/go-diskqueue"
)

// fakeQueue is a queue in memory, whose moments a test chooses.
type fakeQueue struct {
	diskqueue.Interface // nil: only these are called
	batches             chan []byte
	stored              func() // before Put returns
}

func (q *fakeQueue) Put(raw []byte) error {
	q.batches <- raw
	q.stored()
	return nil
}
func (q *fakeQueue) ReadChan() <-chan []byte { return q.batches }
func (q *fakeQueue) Depth() int64            { return int64(len(q.batches)) }
func (q *fakeQueue) Close() error            { return nil }

// newFake returns an empty spool with such a queue.
func newFake(t *testing.T) (*spool, *fakeQueue, *Agent) {
	t.Helper()
	a := &Agent{meter: newMeter(&Options{MaxSeries: 10})}
	s, err := openSpool(&Options{Spool: t.TempDir() + "/spool", SpoolSize: 1 << 20, Log: t.Logf}, a.meter)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.queue.Close(); err != nil {
		t.Fatal(err)
	}
	q := &fakeQueue{batches: make(chan []byte, 16), stored: func() {}}
	s.queue = q
	return s, q, a
}

// two is a batch of two records that were offered.
func two(a *Agent) parcel {
	a.meter.offered.Add(2)
	a.meter.waiting.Add(2)
	return parcel{lines: []byte("one\ntwo\n"), count: 2}
}

// sendOne is what the sender does with what it has read.
func sendOne(s *spool, raw []byte) {
	if p, ok := s.open(raw); ok {
		s.meter.export(p.count)
	}
}

// checkSpool closes a spool that is empty and checks what was counted.
func checkSpool(t *testing.T, s *spool, a *Agent, offered, exported, lost int) {
	t.Helper()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	sum, _ := gathered(t, a, "log_records_total")
	if e, _, l := balance(t, a); int(sum) != offered || e != exported || l != lost || s.bytes != 0 {
		t.Errorf("%v offered, %d exported, %d lost, %d bytes left; want %d, %d, %d, none", sum, e, l, s.bytes, offered, exported, lost)
	}
}

// TestSpoolHandsOutAtOnce: the sender may have a batch before Put returns. It is not taken
// for one of an earlier run, and not counted as lost.
func TestSpoolHandsOutAtOnce(t *testing.T) {
	s, q, a := newFake(t)
	sent := make(chan struct{})
	q.stored = func() {
		raw := <-q.batches
		go func() { sendOne(s, raw); close(sent) }()
		select { // the sender waits for put, or is faster
		case <-sent:
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.put(two(a))
	<-sent
	checkSpool(t, s, a, 2, 2, 0)
}

// TestSpoolWithOneInHand: put drops the last batch while the sender has read the one before
// it, and not said so yet. That one is not lost.
func TestSpoolWithOneInHand(t *testing.T) {
	s, q, a := newFake(t)
	s.put(two(a))
	s.put(two(a))
	inHand := <-q.batches
	s.size = s.bytes
	s.put(two(a))
	sendOne(s, inHand)
	sendOne(s, <-q.batches)
	checkSpool(t, s, a, 6, 4, 2)
}

// TestSpoolOfTooLarge: a batch for which the spool has no room is lost, once, and the others stay.
func TestSpoolOfTooLarge(t *testing.T) {
	s, q, a := newFake(t)
	s.put(two(a))
	s.size = s.bytes // of this one and no larger one
	large := two(a)
	for n := range 100 {
		large.lines = fmt.Appendf(large.lines, "line %d\n", n)
	}
	s.put(large)
	if s.queue.Depth() != 1 || s.bytes != s.size {
		t.Fatalf("%d batches of %d bytes are in the spool, want the first one of %d", s.queue.Depth(), s.bytes, s.size)
	}
	sendOne(s, <-q.batches)
	checkSpool(t, s, a, 4, 2, 2)
}

// TestSpoolThatCannotBeRead: put gives up when the queue has batches and hands none out.
func TestSpoolThatCannotBeRead(t *testing.T) {
	s, q, a := newFake(t)
	s.put(two(a))
	s.size = s.bytes
	stuck := &stuckQueue{q}
	s.queue = stuck
	done := make(chan struct{})
	go func() { s.put(two(a)); close(done) }()
	select {
	case <-done:
	case <-time.After(8 * time.Second):
		t.Fatal("put does not return")
	}
	s.queue = q
	sendOne(s, <-q.batches)
	checkSpool(t, s, a, 4, 2, 2)
}

// stuckQueue hands nothing out.
type stuckQueue struct{ *fakeQueue }

func (*stuckQueue) ReadChan() <-chan []byte { return nil }

// TestSpoolWithNothingToRead: a spool whose own file tells of batches where none can be is put
// aside, and works; one with a longer file is the queue's to salvage.
func TestSpoolWithNothingToRead(t *testing.T) {
	const size = 64 << 10
	for _, c := range []struct {
		meta  string
		file  int // bytes of it; -1 is none
		aside bool
	}{
		{"1\n0,65536\n0,65536\n", size, true},
		{"7\n3,0\n3,0\n", -1, true},
		{"0\n0,65536\n0,65536\n", size, false},
		{"1\n0,60000\n0,60000\n", size, false},
		{"1\n0,0\n0,65536\n", size, false},
	} {
		dir := t.TempDir()
		err := os.WriteFile(filepath.Join(dir, spoolMeta), []byte(c.meta), 0o600)
		if c.file >= 0 {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, spoolFiles+"000000.dat"), make([]byte, c.file), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		a := &Agent{meter: newMeter(&Options{MaxSeries: 10})}
		s, err := openSpool(&Options{Spool: dir, SpoolSize: size, Log: t.Logf}, a.meter)
		if err != nil {
			t.Fatal(err)
		}
		if bad, _ := filepath.Glob(filepath.Join(dir, spoolMeta+".bad")); len(bad) == 1 != c.aside {
			t.Errorf("%q with a file of %d: put aside %v, want %v", c.meta, c.file, bad, c.aside)
		}
		s.put(two(a))
		select {
		case raw := <-s.queue.ReadChan():
			sendOne(s, raw)
		case <-time.After(5 * time.Second):
		}
		if exported, _, lost := balance(t, a); exported != 2 || lost != 0 {
			t.Errorf("%q with a file of %d: %d exported and %d lost of 2", c.meta, c.file, exported, lost)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}
