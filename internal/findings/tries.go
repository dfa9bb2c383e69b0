package findings

import (
	"net/netip"
	"time"
)

// tries are attempts that were given up before a SYN was sent again, by where they went.
type tries map[netip.AddrPort]*attempted

type attempted struct {
	inVain, longest uint64        // since one was answered, and the most that were so one after the other
	srtt            time.Duration // of those that were
}

const maxTries = 256

func (t *tries) add(x *end) {
	if *t == nil {
		*t = tries{}
	}
	a := (*t)[x.peer]
	if a == nil {
		if len(*t) == maxTries {
			return
		}
		a = &attempted{}
		(*t)[x.peer] = a
	}
	a.inVain++
	a.longest = max(a.longest, a.inVain)
}

// counted: ordinary ends to a port were only counted. Whether attempts there were in vain one after the
// other is not known.
func (t tries) counted(port uint16) {
	for to, a := range t {
		if to.Port() == port {
			a.inVain, a.longest = 0, 0
		}
	}
}

// answered: attempts to the peer of x are not all in vain.
func (t tries) answered(x *end) {
	if a := t[x.peer]; a != nil {
		a.inVain, a.srtt = 0, max(a.srtt, x.srtt)
	}
}
