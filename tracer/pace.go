//go:build linux

package tracer

import "time"

// pace is how often the ring is read. To begin costs half a millisecond of processor time, and
// much is not in the caches any more: many ends are read together, if all are of processes that
// are known, as others may soon be gone, with what only /proc knows of them; and if no close()
// waits, whose time may run out.
type pace struct {
	poll, usual time.Duration
	ends, met   uint64 // until the last round
}

const (
	busy     = 2000 // ends a second
	pollBusy = 250 * time.Millisecond
)

func newPace(usual time.Duration) pace { return pace{poll: usual, usual: usual} }

// next is told how many ends have come and how many processes were met since the trace began,
// and whether a close() waits.
func (p *pace) next(ends, met uint64, waits bool) {
	many := float64(ends-p.ends) >= busy*p.poll.Seconds()
	known := met == p.met
	p.ends, p.met, p.poll = ends, met, p.usual
	if many && known && !waits {
		p.poll = max(pollBusy, p.usual)
	}
}

// met counts the processes that were not known before.
func (t *translator) met() uint64 {
	if t.owners == nil {
		return 0
	}
	return t.owners.Met()
}
