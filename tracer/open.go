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

// seek is what there is to know of the searches.
type seek struct {
	open  func(func(*bpf.TraceEnd)) // calls it with each open connection
	from  ktime                     // when the next may be
	until ktime                     // the other ends of what has ended until then were looked for
	// over is when the last one was. An other end that was not found open may have ended
	// meanwhile: what was sent until then has to be read first.
	over ktime
}

// resetAlone returns the ends after one time that were reset by the peer, and whose other
// end has not ended, by the tuple of the other end in any network namespace; none if none
// is due.
func (a *assembler) resetAlone(after, now ktime) (alone map[tuple]*ended) {
	due, until := now.add(-hold), now.add(-seekAge)
	const answered = bpf.TraceFlagFLAG_RST_REPLY_AFTER | bpf.TraceFlagFLAG_RST_HERE
	for _, h := range a.held.items[a.held.head:] {
		if h.time() > until || alone == nil && h.time() > due {
			break
		}
		e := &h.end
		if h.time() <= after || !has(e, bpf.TraceFlagFLAG_RST_RECEIVED) || has(e, answered) || model.State(e.Last) == model.SynSent || a.recent.mate(h) != nil {
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

// seekOpen marks the ends that will be delivered next and whose other end is open. It
// reports whether it has looked.
func (t *Tracer) seekOpen(now ktime) bool {
	if now < t.seek.from {
		return false
	}
	alone := t.asm.resetAlone(t.seek.until, now)
	if len(alone) == 0 {
		return false
	}
	began, most := time.Now(), 20*seekEntry
	t.seek.open(func(e *bpf.TraceEnd) {
		most += seekEntry
		if h := alone[anywhere(endTuple(e))]; h != nil && isOpenMate(e, h) {
			h.open = true
		}
	})
	t.seek.until, t.seek.over = now.add(-seekAge), t.now.monotonic()
	t.seek.from = now.add(seekShare * min(time.Since(began), most))
	return true
}

// deliver reports what is complete, if everything sent before now has been read. After a
// search it waits for what was sent meanwhile, but lets no more wait than are remembered.
func (t *Tracer) deliver(now ktime, out emit) bool {
	before := t.seek.until
	switch {
	case now < t.seek.over && t.asm.held.length() < recentMax/2:
		return true
	case t.seekOpen(now):
		return t.asm.advance(before.add(hold), t.losses.epoch(), out)
	default:
		return t.asm.advance(now, t.losses.epoch(), out)
	}
}

// isOpenMate: the port may have been used again since.
func isOpenMate(e *bpf.TraceEnd, h *ended) bool {
	if has(e, bpf.TraceFlagFLAG_ENDED) || sentRST(e) || e.Started > h.end.Ended || !sameHost(e, &h.end) {
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
