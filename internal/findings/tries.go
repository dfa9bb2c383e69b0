package findings

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// tries are attempts that were given up before a SYN was sent again, by where they went from.
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
	unsure          bool          // others may have been answered
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

// counted: ordinary ends to a port were only counted. Some of them may have been in between.
func (t tries) counted(port uint16) {
	for to, a := range t {
		if to.peer.Port() == port {
			a.unsure = true
		}
	}
}

// answered: attempts to the peer of x are not all in vain.
func (t tries) answered(x *end) {
	if a := t[target{x.netns, x.peer}]; a != nil && x.began >= a.since {
		a.inVain, a.srtt = 0, max(a.srtt, x.srtt)
	}
}

// inVain returns the attempts to one peer and port of the namespace in which the most were in vain one
// after the other, if those were enough for a dead path.
func (t tries) inVain(spaces []uint32, peer netip.AddrPort) (worst *attempted) {
	for _, in := range spaces {
		a := t[target{in, peer}]
		if a != nil && (a.longest >= crowd || a.longest >= few && !a.unsure) && (worst == nil || a.longest > worst.longest) {
			worst = a
		}
	}
	return worst
}
