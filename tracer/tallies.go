//go:build linux

package tracer

import (
	"fmt"
	"io"
	"time"
	"unsafe"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

const (
	// tallySlots and keptSlots are TALLIES and KEPT of bpf/ordinary.h.
	tallySlots = 4096
	keptSlots  = 32768
	// tallyEvery is how often ends that were only counted are reported.
	tallyEvery = time.Second
	// tallyIdle is for how long a place has not counted when it is given back, once half
	// of all are taken.
	tallyIdle = 10 * time.Second
)

// tallies reads how many ordinary ends the kernel has counted. Its numbers are never set
// back, also of places that are given back: so each end is reported once, whatever
// happens meanwhile.
type tallies struct {
	memory interface {
		io.ReaderAt
		io.WriterAt
	}
	now   []bpf.TraceTally
	slots []tallySlot
	taken uint64 // places that were taken until the last look
	used  int
	at    ktime
	// takenBack counts ends that were sent after they had been counted, by what tally they were in.
	takenBack map[bpf.TraceTally]uint64
	sums      map[bpf.TraceTally]*model.Counted // while they are reported
}

// tallySlot is what is known of a place.
type tallySlot struct {
	told    bpf.TraceTally // the state when last reported
	changed ktime
	met     bool // the owner was looked up
}

// newTallies returns nil if every end is sent.
func newTallies(opts Options, l *loaded, now ktime) (*tallies, error) {
	if !opts.CountOrdinary {
		return nil, nil
	}
	memory, err := l.objects.Maps["tallies"].Memory()
	if err != nil {
		return nil, fmt.Errorf("map tallies: %w", err)
	}
	return &tallies{
		memory: memory, now: make([]bpf.TraceTally, tallySlots), slots: make([]tallySlot, tallySlots),
		takenBack: map[bpf.TraceTally]uint64{}, sums: map[bpf.TraceTally]*model.Counted{}, at: now,
	}, nil
}

// SendOrdinary sends ordinary ends all the same from now on, or again counts them only,
// if Options.CountOrdinary is set.
func (t *Tracer) SendOrdinary(send bool) error {
	if err := t.loaded.objects.Variables["send_ordinary"].Set(send); err != nil {
		return fmt.Errorf("set send_ordinary: %w", err)
	}
	return nil
}

const tallySize = int(unsafe.Sizeof(bpf.TraceTally{}))

func bytesOf[T bpf.TraceTally | bpf.TraceTenant | bpf.TracePart | int32](s []T) []byte {
	var one T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(one))) // #nosec G103 -- plain values without pointers, as in the kernel
}

func (t *tallies) read(into []bpf.TraceTally) bool {
	_, err := t.memory.ReadAt(bytesOf(into), 0)
	return err == nil
}

// tallyOf is where an end was counted, without numbers.
func tallyOf(e *bpf.TraceEnd) bpf.TraceTally {
	t := bpf.TraceTally{Owner: e.Owner, Netns: e.Netns, Port: e.LocalPort}
	if has(e, bpf.TraceFlagFLAG_ACTIVE) {
		t.Port, t.Active = e.PeerPort, 1
	}
	return t
}

func keyOf(t *bpf.TraceTally) bpf.TraceTally {
	return bpf.TraceTally{Owner: t.Owner, Netns: t.Netns, Port: t.Port, Active: t.Active}
}

// takeBack notes that an end that was counted is reported after all.
func (t *tallies) takeBack(e *bpf.TraceEnd) {
	if t != nil {
		t.takenBack[tallyOf(e)]++
	}
}

// look meets owners that were counted for the first time: they may soon be gone.
func (t *tallies) look(a *assembler) {
	if t == nil || !t.read(t.now[:1]) || t.now[0].Taken == t.taken || !t.read(t.now) {
		return
	}
	t.taken = t.now[0].Taken
	for i := 1; i < len(t.now); i++ {
		if s := &t.slots[i]; t.now[i].Taken == 1 && !s.met {
			s.met = true
			t.used++
			e := endOf(&t.now[i])
			a.meet(&e)
			if a.namespaces != nil {
				a.namespaces.meet(e.Netns, e.Owner.Tgid, a.began)
			}
		}
	}
}

// endOf is what the ends of a tally have in common.
func endOf(t *bpf.TraceTally) bpf.TraceEnd {
	e := bpf.TraceEnd{Owner: t.Owner, Netns: t.Netns, Source: uint8(model.OwnerUse), Flags: bpf.TraceFlagFLAG_PASSIVE, LocalPort: t.Port}
	if t.Active != 0 {
		e.Flags, e.LocalPort, e.PeerPort = bpf.TraceFlagFLAG_ACTIVE, 0, t.Port
	}
	return e
}

// report emits what was counted, once a second and at the end.
func (t *tallies) report(a *assembler, now ktime, final bool, out emit) bool {
	if t == nil || !final && time.Duration(now-t.at) < tallyEvery {
		return true
	}
	interval := time.Duration(now - t.at)
	t.at = now
	t.look(a)
	if !t.read(t.now) {
		return true
	}
	for i := 1; i < len(t.now); i++ {
		n, s := &t.now[i], &t.slots[i]
		if n.Ends == s.told.Ends {
			t.giveBack(i, now)
			continue
		}
		if !s.met && !final {
			continue // its owner is perhaps not all written
		}
		if n.Taken != 0 {
			s.told.Owner, s.told.Netns, s.told.Port, s.told.Active = n.Owner, n.Netns, n.Port, n.Active
		}
		sum := t.sum(keyOf(&s.told))
		sum.Ends += n.Ends - s.told.Ends
		sum.Sent += n.Sent - s.told.Sent
		sum.Received += n.Received - s.told.Received
		s.told.Ends, s.told.Sent, s.told.Received, s.changed = n.Ends, n.Sent, n.Received, now
	}
	for key, n := range t.takenBack {
		t.sum(key).TakenBack += n
	}
	clear(t.takenBack)
	defer clear(t.sums)
	for key, sum := range t.sums {
		sum.Interval = model.Some(interval)
		if !a.counted(key, *sum, now, out) {
			return false
		}
	}
	return true
}

// sum is what is reported of a process and port: several places may count for it.
func (t *tallies) sum(key bpf.TraceTally) *model.Counted {
	sum := t.sums[key]
	if sum == nil {
		sum = &model.Counted{}
		t.sums[key] = sum
	}
	return sum
}

// giveBack frees a place that is not used any more, once half of them are.
func (t *tallies) giveBack(i int, now ktime) {
	n, s := &t.now[i], &t.slots[i]
	if t.used <= len(t.now)/2 || !s.met || n.Taken != 1 || time.Duration(now-s.changed) < tallyIdle {
		return
	}
	free := bpf.TraceTally{}
	at := int64(i * tallySize)
	if _, err := t.memory.WriteAt(bytesOf([]bpf.TraceTally{free})[:unsafe.Offsetof(free.Taken)], at); err != nil {
		return
	}
	if _, err := t.memory.WriteAt(make([]byte, 8), at+int64(unsafe.Offsetof(free.Taken))); err == nil {
		s.met = false
		t.used--
	}
}

// counted emits what was counted of a tally.
func (a *assembler) counted(key bpf.TraceTally, c model.Counted, now ktime, out emit) bool {
	e := endOf(&key)
	f := a.next(model.KindCounts)
	f.Time = a.clock.time(now)
	f.Network.Local.Port, f.Network.Peer.Port, f.Network.NetNS = e.LocalPort, e.PeerPort, e.Netns
	f.TCP.Role = role(&e)
	a.process(&f.Process, &e)
	f.Process.Source = model.OwnerUnknown // not the same for all
	a.describe(f, &e)
	a.event.Counted = c
	return out(&a.event)
}
