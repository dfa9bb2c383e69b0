//go:build linux

package tracer

import (
	"time"

	"github.com/cilium/ebpf"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// A connection that was reset, while its other end on this host is still open: then that
// end did not send the reset. The programs' table of connections is searched for it,
// which takes about 0.3 us for each entry; at most a hundredth of the time is spent on
// it. What other processes took of the processor meanwhile does not count.

const (
	seekShare = 100
	seekBatch = 256
	seekEntry = 2 * time.Microsecond // at most; a batch takes no longer than 20 entries
)

// seekAge is how old an end is whose other end is looked for. One is looked for when its
// end is due; others of the same moment are then found with it.
const seekAge = hold / 2

// resetAlone returns the ends that were reset by the peer, and whose other end has not ended,
// by the tuple of the other end in any network namespace; none if none is due.
func (a *assembler) resetAlone(now ktime) (alone map[tuple]*ended) {
	due, until := now.add(-hold), now.add(-seekAge)
	const answered = bpf.TraceFlagFLAG_RST_REPLY_AFTER | bpf.TraceFlagFLAG_RST_HERE
	for _, h := range a.held.items[a.held.head:] {
		if h.time() > until || alone == nil && h.time() > due {
			break
		}
		e := &h.end
		if h.open || !has(e, bpf.TraceFlagFLAG_RST_RECEIVED) || has(e, answered) || model.State(e.Last) == model.SynSent || a.recent.mate(h) != nil {
			continue
		}
		if alone == nil {
			alone = map[tuple]*ended{}
		}
		alone[anywhere(endTuple(e).reversed())] = h
	}
	return alone
}

func anywhere(t tuple) tuple {
	t.netns = 0
	return t
}

// seekOpen marks the ends that will be delivered next and whose other end is open.
func (t *Tracer) seekOpen(now ktime) {
	if now < t.seekFrom {
		return
	}
	alone := t.asm.resetAlone(now)
	if len(alone) == 0 {
		return
	}
	began, most := time.Now(), 20*seekEntry
	t.eachOpen(func(e *bpf.TraceEnd) {
		most += seekEntry
		if h := alone[anywhere(endTuple(e))]; h != nil && isOpenMate(e, h) {
			h.open = true
		}
	})
	t.seekFrom = now.add(seekShare * min(time.Since(began), most))
}

// isOpenMate: the port may have been used again since.
func isOpenMate(e *bpf.TraceEnd, h *ended) bool {
	if has(e, bpf.TraceFlagFLAG_ENDED) || e.Started > h.end.Ended || loopback(e) && e.Netns != h.end.Netns {
		return false
	}
	switch model.State(e.Path & 0xf) {
	case model.Established, model.CloseWait, model.FinWait1, model.FinWait2:
		return true
	default:
		return false
	}
}

// eachOpen calls do with the kernel's entries of open connections, as far as they can be
// read: before 5.19 that takes CAP_BPF, and where it fails nothing is known.
func (t *Tracer) eachOpen(do func(*bpf.TraceEnd)) {
	var (
		cursor ebpf.MapBatchCursor
		keys   = make([]uint64, seekBatch)
		values = make([]bpf.TraceEnd, seekBatch)
	)
	for {
		n, err := t.loaded.objects.Maps["conns"].BatchLookup(&cursor, keys, values, nil)
		for i := range values[:n] {
			do(&values[i])
		}
		if err != nil { // of the end of the table, too
			return
		}
	}
}
