//go:build linux

package tracer

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
)

const (
	leastConnections = 65536
	mostConnections  = 1 << 20
	// memoryPerEntry is how much memory a host has for each connection that is
	// followed: an entry takes 400 bytes, so that all of them take 0.3 %.
	memoryPerEntry = 128 << 10
)

// DefaultMaxConnections is what Options.MaxConnections is on this host if it is 0.
func DefaultMaxConnections() uint32 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return leastConnections
	}
	return connectionsFor(string(text))
}

func connectionsFor(meminfo string) uint32 {
	_, rest, _ := strings.Cut(meminfo, "MemTotal:")
	words := strings.Fields(rest)
	if len(words) == 0 {
		return leastConnections
	}
	total, err := strconv.ParseUint(words[0], 10, 54) // in KiB
	if err != nil {
		return leastConnections
	}
	return uint32(min(max(total<<10/memoryPerEntry, leastConnections), mostConnections))
}

const (
	// refusedEvery is how often tenants with more connections than their share are
	// reported.
	refusedEvery = time.Second
	// refusedMax tenants are reported individually, those with most.
	refusedMax = 16
)

// tenants reads who fills the map of connections, and whose new connections found no
// place in it. See bpf/tenant.h.
type tenants struct {
	memory io.ReaderAt // a tenant for each slot
	parts  io.ReaderAt // a part for each processor
	part   []int32     // of one of them
	cpus   int
	max    uint32 // entries of the map
	all    []bpf.TraceTenant
	told   []bpf.TraceTenant // the state when last reported
	at     ktime
	filled uint64 // how full the table was when last reported, in parts of fillParts
}

// mostBatch entries are at most counted by a processor before it tells.
const mostBatch = 64

// batchFor keeps what all processors have not told to a sixteenth of the table.
func batchFor(connections uint32, cpus int) int32 {
	return int32(min(max(int(connections)/(16*cpus), 1), mostBatch))
}

// hostNetNS returns the network namespace of the host's own processes, or 0 if it can't be
// known from inside a container.
func hostNetNS() uint32 {
	if process.InNamespace() {
		return 0
	}
	return cmp.Or(namespaceOf("/proc/1"), namespaceOf(self))
}

// mapTenants maps the tables that the programs fill.
func mapTenants(objects *ebpf.Collection, most uint32) (*tenants, error) {
	memory, err := objects.Maps["tenants"].Memory()
	if err != nil {
		return nil, fmt.Errorf("map tenants: %w", err)
	}
	parts, err := objects.Maps["parts"].Memory()
	if err != nil {
		return nil, fmt.Errorf("map tenants' parts: %w", err)
	}
	return newTenants(memory, parts, int(objects.Maps["tenants"].MaxEntries()), int(objects.Maps["parts"].MaxEntries()), most), nil
}

func newTenants(memory, parts io.ReaderAt, slots, cpus int, most uint32) *tenants {
	return &tenants{
		memory: memory, parts: parts, part: make([]int32, slots), cpus: cpus, max: most,
		all: make([]bpf.TraceTenant, slots), told: make([]bpf.TraceTenant, slots),
	}
}

// read reads the first slots, with what each processor has not told of them.
func (t *tenants) read(into []bpf.TraceTenant) bool {
	if _, err := t.memory.ReadAt(bytesOf(into), 0); err != nil {
		return false
	}
	part := t.part[:len(into)]
	for cpu := range t.cpus {
		if _, err := t.parts.ReadAt(bytesOf(part), int64(cpu)*int64(unsafe.Sizeof(bpf.TracePart{}))); err != nil {
			return false
		}
		for slot, n := range part {
			into[slot].Open += int64(n)
		}
	}
	for slot := range into {
		into[slot].Open = max(into[slot].Open, 0) // counts that moved meanwhile
	}
	return true
}

// The table is reported when it is half full: no connection is refused before that. Then
// again with each eighth more, and once it is not even a third full.
const (
	fillParts = 8
	fillFirst = fillParts / 2
)

// fill emits how full the table is when that is news.
func (t *tenants) fill(at model.Time, out emit) bool {
	held, most := uint64(t.all[0].Open), uint64(t.max)
	part := held * fillParts / max(most, 1)
	switch {
	case held < most/3 && t.filled > 0:
		t.filled = 0
	case part >= fillFirst && part > t.filled && t.read(t.all):
		t.filled = part
	default:
		return true
	}
	table := model.Table{Time: at, Held: held, Max: most}
	if t.filled > 0 {
		who := slices.MaxFunc(t.all[1:], func(a, b bpf.TraceTenant) int { return cmp.Compare(a.Open, b.Open) })
		table.Most = uint64(who.Open)
		table.NetNS, table.UID = tenantOf(who.Who)
	}
	return out(&model.Event{Record: model.Record{Kind: model.KindTable, Table: table}})
}

// report emits how full the table is, and whose connections found no place since the last time, at most once a
// second, but at the end.
func (t *tenants) report(now ktime, at model.Time, final bool, out emit) {
	if t == nil || !final && time.Duration(now-t.at) < refusedEvery {
		return
	}
	t.at = now
	if !t.read(t.all[:1]) || !t.fill(at, out) || t.all[0].Refused == t.told[0].Refused || !t.read(t.all) {
		return
	}
	losses := t.refused()
	copy(t.told, t.all)
	for i := range losses {
		losses[i].Time = at
		if !out(&model.Event{Record: model.Record{Kind: model.KindLoss, Loss: losses[i]}}) {
			return
		}
	}
}

// tenantOf returns the namespace and the user of a tenant, as far as it has one: see
// bpf/tenant.h.
func tenantOf(who uint64) (netns uint32, uid model.Opt[uint32]) {
	const wholeNamespace, rootsPort = 0xffffffff, 0xfffe
	netns = uint32(who >> 32)
	switch user := uint32(who); {
	case user == wholeNamespace:
		return netns, uid
	case user>>16 == rootsPort:
		return netns, model.Some[uint32](0)
	default:
		return netns, model.Some(user)
	}
}

// refused returns a loss for each tenant that was refused most, and one for the rest.
func (t *tenants) refused() []model.Loss {
	var losses []model.Loss
	var named uint64
	for slot := 1; slot < len(t.all); slot++ {
		now, before := &t.all[slot], &t.told[slot]
		n := now.Refused
		if now.Who == before.Who && n >= before.Refused {
			n -= before.Refused
		}
		if n > 0 {
			l := model.Loss{Count: n, Where: tableLoss, Held: uint64(now.Open), Max: uint64(t.max)}
			l.NetNS, l.UID = tenantOf(now.Who)
			losses = append(losses, l)
			named += n
		}
	}
	// Others have the slots of some, who have closed all. The slots were read last.
	if all := t.told[0].Refused + named; t.all[0].Refused > all {
		losses = append(losses, model.Loss{Count: t.all[0].Refused - all, Where: tableLoss, Max: uint64(t.max)})
	} else {
		t.all[0].Refused = all
	}
	slices.SortStableFunc(losses, func(a, b model.Loss) int { return cmp.Compare(b.Count, a.Count) })
	if len(losses) <= refusedMax {
		return losses
	}
	rest := model.Loss{Where: tableLoss, Max: uint64(t.max)}
	for _, l := range losses[refusedMax:] {
		rest.Count += l.Count
		rest.Held += l.Held
	}
	return append(losses[:refusedMax], rest)
}
