//go:build linux

package tracer

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// batches is a ring: after each SetDeadline the next batch can be read, and is
// followed by what then happens. Beyond the last it ends the trace.
type batches struct {
	all    []batch
	next   int
	left   [][]byte
	then   func()
	ending context.CancelFunc
	read   func(n int) // before the nth message, from 0
	count  int
}

type batch struct {
	messages [][]byte
	then     func() // when the ring has been found empty
}

func (b *batches) SetDeadline(time.Time) {
	b.left, b.then = nil, b.ending
	if b.next < len(b.all) {
		b.left, b.then = b.all[b.next].messages, b.all[b.next].then
	}
	b.next++
}

func (b *batches) ReadInto(to *ringbuf.Record) error {
	if len(b.left) == 0 {
		if b.then != nil {
			b.then()
		}
		return os.ErrDeadlineExceeded
	}
	if b.read != nil {
		b.read(b.count)
	}
	b.count++
	to.RawSample, b.left = b.left[0], b.left[1:]
	return nil
}

func (*batches) Flush() error { return nil }
func (*batches) Close() error { return nil }

// played is a tracer without a kernel.
type played struct {
	*Tracer
	ring     *batches
	host     *hostClocks
	counters *fakeCounters
	ctx      context.Context
}

func newPlayed(t testing.TB, all ...batch) *played {
	ctx, cancel := context.WithCancel(t.Context())
	p := &played{
		ring: &batches{all: all, ending: cancel}, host: &hostClocks{at: 10e9}, counters: &fakeCounters{cpus: 1}, ctx: ctx,
	}
	now := clocks(p.host.read)
	p.Tracer = &Tracer{
		opts: Options{}.withDefaults(), loaded: &loaded{mode: Tracepoint}, reader: p.ring, losses: p.counters.losses(), now: now,
		asm: newAssembler(translator{clock: now.measure(), hertz: 250}, "s"),
	}
	p.seek.open = func(func(*bpf.TraceEnd)) {}
	p.asm.namespaces = &namespaces{known: map[uint32]*namespace{}}
	return p
}

func (p *played) events(t *testing.T) (events []model.Event) {
	t.Helper()
	for e, err := range p.Events(p.ctx) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, *e)
	}
	return events
}

func endAt(sock, at uint64) []byte {
	e := sampleEnd(sock, at)
	return rawOf(&e)
}

func rawOf(e *bpf.TraceEnd) []byte {
	return slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(e)), unsafe.Sizeof(*e)))
}

func laterAt(message bpf.TraceMessage, sock, at uint64) []byte {
	l := bpf.TraceLater{Message: message, Sock: sock, Time: at}
	return slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&l)), unsafe.Sizeof(l)))
}

// waitsFor lets the reader wait for a processor once it has found the ring empty.
func (p *played) waitsFor(d time.Duration) func() { return func() { p.host.at += int64(d) } }

// TestReaderIsLate: what is in the ring by the time the reader runs again belongs to
// the end that it has read before.
func TestReaderIsLate(t *testing.T) {
	p := newPlayed(t)
	p.ring.all = []batch{
		{messages: [][]byte{endAt(1, 10e9)}, then: p.waitsFor(time.Second)},
		{messages: [][]byte{laterAt(bpf.TraceMessageMESSAGE_RESET_SENT, 1, 10e9+1000)}},
	}
	events := p.events(t)
	if len(events) != 1 || !events[0].Teardown.Evidence.RSTSentAfter {
		t.Errorf("got %+v, want one end, with the RST that followed", events)
	}
}

// TestEndOfTrace: what is in the ring, and what was held, is delivered once all
// programs are detached, and so is the last loss.
func TestEndOfTrace(t *testing.T) {
	p := newPlayed(t)
	p.ring.all = []batch{
		{messages: [][]byte{endAt(1, 10e9)}},
		{then: p.ring.ending},
		{messages: [][]byte{endAt(2, 10e9+1000)}, then: func() { p.counters.add(0, bpf.TraceCpuCounters{Ring: 3}) }},
	}
	events := p.events(t)
	if len(events) != 3 || events[0].Teardown.Network.Local.Port != 1 || events[1].Teardown.Network.Local.Port != 2 {
		t.Fatalf("got %+v, want two ends and a loss", events)
	}
	if l := events[2].Loss; events[2].Kind != model.KindLoss || l.Count != 3 || l.Time != p.asm.clock.time(ktime(p.host.at)) {
		t.Errorf("got %+v, want 3 lost, now", events[2])
	}
	if again := p.events(t); len(again) != 0 {
		t.Errorf("the trace had ended and told %+v", again)
	}
}

// TestLossInARound: a loss is reported in the round in which it is found, between what
// came before and after it.
func TestLossInARound(t *testing.T) {
	p := newPlayed(t)
	p.ring.all = []batch{
		{messages: [][]byte{endAt(1, 9e9)}, then: func() { p.counters.add(0, bpf.TraceCpuCounters{Table: 2}) }},
		{},
		{messages: [][]byte{endAt(2, 9e9+1000)}},
	}
	var kinds []model.Kind
	for _, e := range p.events(t) {
		kinds = append(kinds, e.Kind)
	}
	if want := []model.Kind{model.KindTeardown, model.KindLoss, model.KindTeardown}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}

// TestBusyRing: if the ring is never found empty, time is that of the messages.
func TestBusyRing(t *testing.T) {
	p := newPlayed(t)
	var messages [][]byte
	for n := range uint64(3000) {
		messages = append(messages, endAt(n+1, 1e9+n*1e6)) // a millisecond apart
	}
	p.ring.all = []batch{{messages: messages}}
	told, held := 0, 0
	p.ring.read = func(n int) { held = max(held, n-told) }
	for range p.Events(p.ctx) {
		told++
	}
	if most := 1024 + int(hold/time.Millisecond) + 1; told != 3000 || held > most {
		t.Errorf("%d of 3000 told, up to %d held, want at most %d", told, held, most)
	}
}

// TestStepInATrace: a step of the wall clock, or sleep, is a line of its own, and all
// that is reported after it has the new time, though the step was within a full ring.
func TestStepInATrace(t *testing.T) {
	const hour = int64(time.Hour)
	for name, c := range map[string]struct {
		set  func(*hostClocks)
		want model.Clock
	}{
		"forward": {func(h *hostClocks) { h.stepped += hour }, model.Clock{Step: time.Hour}},
		"back":    {func(h *hostClocks) { h.stepped -= hour }, model.Clock{Step: -time.Hour}},
		"slept":   {func(h *hostClocks) { h.stepped += hour; h.slept += hour }, model.Clock{Suspended: time.Hour}},
	} {
		p := newPlayed(t)
		var busy [][]byte
		for n := range uint64(3000) {
			busy = append(busy, endAt(n+3, 11e9+n*1e6))
		}
		p.ring.all = []batch{{messages: [][]byte{endAt(1, 9e9)}}, {}, {messages: busy}}
		p.ring.read = func(n int) {
			if n == 2000 {
				c.set(p.host)
			}
		}
		var was, lines int
		for _, e := range p.events(t) {
			switch e.Kind {
			case model.KindClock:
				lines++
				if e.Clock.Step != c.want.Step || e.Clock.Suspended != c.want.Suspended {
					t.Errorf("%s: got %+v, want %+v", name, e.Clock, c.want)
				}
				if d := time.Duration(int64(e.Clock.Time) - epoch - p.host.stepped - p.host.at).Abs(); d > time.Second {
					t.Errorf("%s: the line's time is %v off", name, d)
				}
			case model.KindTeardown:
				uptime := int64(11e9) + int64(e.Teardown.Network.Local.Port-3)*1e6
				if e.Teardown.Network.Local.Port < 3 {
					uptime = 9e9
				}
				want := epoch + uptime
				if lines > 0 {
					want += p.host.stepped
				} else {
					was++
				}
				if d := time.Duration(int64(e.Teardown.Time) - want).Abs(); d > time.Second {
					t.Fatalf("%s: end %d is told %v off", name, e.Teardown.Network.Local.Port, d)
				}
			default:
			}
		}
		if lines != 1 || was == 0 || was > 2001 {
			t.Errorf("%s: %d lines, %d ends before it, want one, and ends on both sides", name, lines, was)
		}
	}
}

// TestConsumerStops: nothing is yielded to a loop that has ended.
func TestConsumerStops(t *testing.T) {
	for name, all := range map[string][]batch{
		"in a round": {{messages: [][]byte{endAt(1, 1e9), endAt(2, 1e9)}}},
		"at the end": {{}, {}, {messages: [][]byte{endAt(1, 10e9), endAt(2, 10e9)}}},
	} {
		p := newPlayed(t, all...)
		if name == "at the end" {
			p.ring.all[1].then = p.ring.ending
		}
		told := 0
		for range p.Events(p.ctx) {
			told++
			break
		}
		if told != 1 {
			t.Errorf("%s: got %d, want 1", name, told)
		}
	}
}
