//go:build linux

package tracer

import (
	"fmt"
	"io"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// variable is a global variable of the programs, in mapped memory.
type variable interface {
	Get(to any) error
	Set(value any) error
}

// tableLoss names the loss of connections that found no place in the table, while their
// ends are reported.
const tableLoss = "connection-table"

// lossCounters reads the kernel's loss counters from mapped memory: that needs
// no capability, also before 5.19.
type lossCounters struct {
	memory io.ReaderAt // a cpu_counters for each CPU
	cpus   int
	total  variable // losses
	later  variable // lost_later
	// Reported so far.
	ring, laterReported, table, missed uint64
	strays                             uint64 // taken so far
}

func newLossCounters(objects *ebpf.Collection) (*lossCounters, error) {
	m := objects.Maps["counters"]
	memory, err := m.Memory()
	if err != nil {
		return nil, fmt.Errorf("map loss counters: %w", err)
	}
	return &lossCounters{
		memory: memory, cpus: min(ebpf.MustPossibleCPU(), int(m.MaxEntries())),
		total: objects.Variables["losses"], later: objects.Variables["lost_later"],
	}, nil
}

// epoch returns the total of losses, as messages carry it.
func (l *lossCounters) epoch() uint32 {
	var total uint64
	if err := l.total.Get(&total); err != nil {
		return 0 // the variable is mapped: newLossCounters would have failed
	}
	return uint32(total)
}

// sum adds a counter over all CPUs; offset is its place in cpu_counters.
func (l *lossCounters) sum(offset uintptr) uint64 {
	var total uint64
	size := unsafe.Sizeof(bpf.TraceCpuCounters{})
	for cpu := range l.cpus {
		var b [8]byte
		if _, err := l.memory.ReadAt(b[:], int64(uintptr(cpu)*size+offset)); err != nil {
			break
		}
		total += *(*uint64)(unsafe.Pointer(&b))
	}
	return total
}

// moreStrays returns how many resets without a socket were only counted since it was last
// asked. They are not a loss: a record has their number.
func (l *lossCounters) moreStrays() uint64 {
	now := l.sum(unsafe.Offsetof(bpf.TraceCpuCounters{}.StraysMore))
	n := now - l.strays
	l.strays = now
	return n
}

// report emits what was lost since the last report: ends, which are not reported
// otherwise; what would have been added to reported ends; and so on.
func (l *lossCounters) report(at model.Time, out emit) {
	var c bpf.TraceCpuCounters
	var later uint64
	_ = l.later.Get(&later) // the variable is mapped: newLossCounters would have failed
	for _, loss := range []struct {
		now      uint64
		reported *uint64
		where    string
	}{
		{l.sum(unsafe.Offsetof(c.Ring)), &l.ring, "ring-buffer"},
		{later, &l.laterReported, "late-evidence"},
		{l.sum(unsafe.Offsetof(c.Table)), &l.table, tableLoss},
		{l.sum(unsafe.Offsetof(c.Missed)), &l.missed, "hook"},
	} {
		n := loss.now - *loss.reported
		*loss.reported = loss.now
		if n > 0 && !out(&model.Event{Record: model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: at, Count: n, Where: loss.where}}}) {
			return
		}
	}
}

// resetReasons returns the names of enum sk_rst_reason (since 6.10) of the
// running kernel. The enumeration is not UAPI and has grown in the middle.
func resetReasons(types *types) map[uint8]string {
	names := map[uint8]string{}
	spec, err := types.kernel()
	if err != nil {
		return names
	}
	var enum *btf.Enum
	if spec.TypeByName("sk_rst_reason", &enum) != nil {
		return names
	}
	for _, v := range enum.Values {
		names[uint8(v.Value)] = strings.TrimPrefix(v.Name, "SK_RST_REASON_")
	}
	return names
}
