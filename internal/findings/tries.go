package findings

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// tries are attempts that nobody answered, by where they went.
type tries map[target]*attempted

type target struct {
	netns uint32
	peer  netip.AddrPort
}

type attempted struct {
	inVain, longest uint64        // since one was answered, and the most that were so one after the other
	since           model.Time    // when the first of those in vain began
	last            model.Time    // when the last one of all did
	srtt            time.Duration // of those that were answered
	answered        bool          // one was
	counted         uint64        // ordinary ends to that port meanwhile of which only the number is known
}

const maxTries = 256

func (t *tries) add(x *end) {
	if *t == nil {
		*t = tries{}
	}
	to := target{x.netns, x.peer}
	a := (*t)[to]
	if a == nil {
		if len(*t) == maxTries {
			t.forget()
		}
		a = &attempted{}
		(*t)[to] = a
	}
	if a.inVain == 0 {
		a.since = x.began
	}
	a.last = x.began
	a.inVain++
	a.longest = max(a.longest, a.inVain)
}

// forget makes room: it drops what was not tried for the longest time.
func (t tries) forget() {
	var oldest target
	var least *attempted
	for to, a := range t {
		if least == nil || a.last < least.last {
			oldest, least = to, a
		}
	}
	delete(t, oldest)
}

// counted: so many ordinary ends to a port were only counted. Some of them may have been in between.
func (t tries) counted(netns uint32, port uint16, ends int64) {
	for to, a := range t {
		if to.peer.Port() == port && (netns == 0 || to.netns == netns) {
			a.counted += uint64(max(ends, 0))
		}
	}
}

// answered: attempts to the peer of x are not all in vain.
func (t tries) answered(x *end) {
	if a := t[target{x.netns, x.peer}]; a != nil && x.began >= a.since {
		a.inVain, a.srtt, a.answered = 0, max(a.srtt, x.srtt), true
	}
}

// inVain returns the attempts to a peer and port that were in vain one after the other, of the network
// namespace that has the most, or of all in which none was ever answered.
func (t tries) inVain(peer netip.AddrPort) (worst attempted) {
	never := uint64(0)
	for to, a := range t {
		if to.peer != peer {
			continue
		}
		if a.longest > worst.longest || a.longest == worst.longest && worst.answered && !a.answered {
			worst = *a
		}
		if !a.answered && a.counted == 0 {
			never += a.longest
		}
	}
	if never > worst.longest {
		worst.longest, worst.counted = never, 0
	}
	return worst
}

// deadPath: they were enough for one. Few of many ordinary ends are single lost packets, and of as many
// perhaps one of several back ends.
func (a *attempted) deadPath() bool {
	return a.longest >= crowd && a.counted < 20*a.longest || a.longest >= few && a.counted == 0
}
