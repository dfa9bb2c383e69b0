//go:build linux

package tracer

import (
	"fmt"
	"io"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// signals are the processes that were signalled last, read from the map's memory: that
// needs no capability and no system call.
type signals struct {
	memory io.ReaderAt
	slots  int64
	slot   bpf.SignalsSignalled // the one that was read last; here because a local would be allocated
}

// signalledFor is how long a process may take to close its connections after a signal.
const signalledFor = 5 * time.Second

// openSignals begins to watch signals, as long as l is open. It returns nil where that is
// not possible, and adds it to l's missing hooks.
func openSignals(l *loaded, env *environment) *signals {
	s, err := watchSignals(l, env)
	if err != nil {
		l.missing = append(l.missing, Missing{bpf.SignalsProgSignalSent, err})
		return nil
	}
	return s
}

func watchSignals(l *loaded, env *environment) (*signals, error) {
	embedded := bpf.LoadSignals
	if l.mode == Raw {
		embedded = bpf.LoadSignalsRaw
	}
	spec, err := embedded()
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	objects, err := ebpf.NewCollectionWithOptions(spec, env.types.options())
	if err != nil {
		return nil, fmt.Errorf("load program: %w", err)
	}
	defer objects.Close() // the link and the memory stay
	m := objects.Maps[bpf.SignalsMapSignals]
	memory, err := m.Memory()
	if err != nil {
		return nil, fmt.Errorf("map signals: %w", err)
	}
	attached, err := attachTracepoint("signal_generate")(objects.Programs[bpf.SignalsProgSignalSent], env)
	if err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	l.links = append(l.links, attached)
	return &signals{memory: memory, slots: int64(m.MaxEntries())}, nil
}

// before returns the last signal that a process got within signalledFor before then.
func (s *signals) before(tgid uint32, then ktime) (told bpf.SignalsTold, ok bool) {
	const size = unsafe.Sizeof(bpf.SignalsSignalled{})
	if s == nil || tgid == 0 {
		return told, false
	}
	slot := &s.slot
	if _, err := s.memory.ReadAt(unsafe.Slice((*byte)(unsafe.Pointer(slot)), size), int64(tgid)%s.slots*int64(size)); err != nil {
		return told, false
	}
	if slot.Tgid != tgid {
		return told, false
	}
	for _, told := range [...]bpf.SignalsTold{slot.Last, slot.Before} {
		if at := ktime(told.Time); at <= then && then <= at.add(signalledFor) {
			return told, true
		}
	}
	return told, false
}

func (t *translator) signal(to *model.Signalled, e *bpf.TraceEnd) {
	if s, ok := t.signals.before(e.Owner.Tgid, ktime(e.Ended)); ok {
		*to = model.Signalled{Number: int(s.Number), Time: t.clock.time(ktime(s.Time)), PID: int(s.Sender), Name: t.names.of(s.SenderComm)}
	}
}
