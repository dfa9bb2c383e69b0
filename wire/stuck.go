package wire

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/wire/internal/flow"
)

// way is to or from a server.
type way struct {
	server netip.AddrPort
	from   bool
}

// stuck are connections of a way that were still sending again when the capture ended.
type stuck struct {
	count int
	since int64 // the first of them
	full  bool  // only segments of the full size
}

// unended takes a connection that was open when the capture ended.
func (f *File) unended(c *flow.Conn) {
	f.stats.Open++
	i := c.StuckSide(f.last)
	if i < 0 || oneWay(c) || !c.Sides[1-i].Seen && f.directions.deaf(c) {
		return
	}
	server := 0 // if its beginning is not in the capture, the lower port's
	if c.Client == 0 || c.Client < 0 && c.Endpoint(1).Port() < c.Endpoint(0).Port() {
		server = 1
	}
	k := way{c.Endpoint(server), server == i}
	x := f.stuck[k]
	if x == nil {
		x = &stuck{since: c.Sides[i].Stuck.Since, full: true}
		if f.stuck == nil {
			f.stuck = map[way]*stuck{}
		}
		f.stuck[k] = x
	}
	x.count++
	x.since = min(x.since, c.Sides[i].Stuck.Since)
	x.full = x.full && c.OnlyFull(i)
}

// stillAgain says which connections were still sending again, the most first.
func (f *File) stillAgain() (said []string) {
	const most = 3
	keys := slices.SortedFunc(maps.Keys(f.stuck), func(a, b way) int {
		return cmp.Or(cmp.Compare(f.stuck[b].count, f.stuck[a].count), a.server.Compare(b.server), cmp.Compare(f.stuck[a].since, f.stuck[b].since))
	})
	for _, k := range keys[:min(len(keys), most)] {
		x, what, to, only := f.stuck[k], "connections", "to", ""
		if k.from {
			to = "from"
		}
		if x.full {
			only = " only full segments"
		}
		were := "were"
		if x.count == 1 {
			what, were = "connection", "was"
		}
		said = append(said, fmt.Sprintf("%d %s %s %v %s still sending%s again, without an answer for %v, when the capture ended",
			x.count, what, to, k.server, were, only, time.Duration(f.last-x.since).Round(time.Second)))
	}
	if n := len(keys) - most; n > 0 {
		said = append(said, fmt.Sprintf("%d other servers had such connections, too", n))
	}
	return said
}
