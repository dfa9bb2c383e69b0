package tui

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// dimension is what a grouped view groups by.
type dimension uint8

const (
	byCause   dimension = iota
	byProgram           // process name and container
	byProcess           // the same and the pid
	byPeer              // the peer's address
	byPrefix            // the peer's /24 or /64
	byPair              // the process and the peer's address
	numDimensions
)

// dimensions is what there is to know of each.
var dimensions = [...]struct {
	noun    string // in the filter line
	heading string // of the column of names
	room    int    // the fewest columns for a name
	where   bool   // a group runs somewhere: pod, container or unit
	counted bool   // ends that were only counted have a group: their peers are not known
	next    dimension
	key     func(*model.Teardown) groupKey
	title   func(*groupKey, int, *glyphs) string
}{
	byCause:   {noun: "cause", heading: "CAUSE", room: 18, counted: true, next: byCause, key: causeKey, title: causeTitle},
	byProgram: {noun: "process", heading: "PROCESS", room: 16, where: true, counted: true, next: byProcess, key: programKey, title: processTitle},
	byProcess: {noun: "process", heading: "PROCESS[PID]", room: 16, where: true, counted: true, next: byProgram, key: processKey, title: processTitle},
	byPeer:    {noun: "peer", heading: "PEER", room: 22, next: byPrefix, key: peerKey, title: peerTitle},
	byPair:    {noun: "pair", heading: "PROCESS AND PEER", room: 24, where: true, next: byPair, key: pairKey, title: pairTitle},
	byPrefix:  {noun: "peer", heading: "PEER NETWORK", room: 22, next: byPeer, key: prefixKey, title: peerTitle},
}

// The places of the grouped views.
const (
	causeTable = iota
	processTable
	peerTable
	pairTable
)

// groupings are the grouped views, in the order of their tabs.
var groupings = [...]struct {
	title string
	by    dimension // at first
}{
	causeTable:   {"Causes", byCause},
	processTable: {"Processes", byProgram},
	peerTable:    {"Peers", byPeer},
	pairTable:    {"Pairs", byPair},
}

func causeKey(t *model.Teardown) groupKey { return groupKey{cause: t.Cause} }

func programKey(t *model.Teardown) groupKey {
	name, script := ownerName(&t.Facts)
	return groupKey{name: name, script: script, place: ownerPlace(&t.Facts)}
}

func processKey(t *model.Teardown) groupKey {
	k := programKey(t)
	k.pid = t.Process.PID
	if k.pid == 0 && t.Process.Name == "" {
		k.pid = t.Closer.PID
	}
	return k
}

func peerKey(t *model.Teardown) groupKey {
	a := t.Network.Peer.Address
	return groupKey{prefix: netip.PrefixFrom(a, a.BitLen())}
}

func prefixKey(t *model.Teardown) groupKey {
	bits := 24
	if t.Network.Peer.Address.Is6() {
		bits = 64
	}
	p, err := t.Network.Peer.Address.WithZone("").Prefix(bits)
	if err != nil {
		return groupKey{} // the address is not known
	}
	return groupKey{prefix: p}
}

func pairKey(t *model.Teardown) groupKey {
	k := programKey(t)
	k.prefix = peerKey(t).prefix
	return k
}

func pairTitle(k *groupKey, width int, g *glyphs) string {
	if k.others {
		return othersTitle
	}
	peer := " " + g.pair + " " + peerTitle(k, max(width-12, 8), g)
	w, _ := textWidth(peer)
	return processTitle(k, max(width-w, 4), g) + peer
}

func causeTitle(k *groupKey, _ int, _ *glyphs) string {
	if k.others {
		return othersTitle
	}
	return k.cause.String()
}

// othersTitle names the rows that were folded together.
const othersTitle = "(others)"

func processTitle(k *groupKey, width int, g *glyphs) string {
	if k.others {
		return othersTitle
	}
	name, pid := human.ProcessParts(k.name, k.pid)
	switch {
	case name == "":
		name = "(not known)"
	case strings.TrimSpace(name) == "":
		name = strconv.Quote(name) // so that it is seen
	}
	return titled(name, safetext.Escape(k.script), pid, width, g)
}

// nameRoom is the fewest columns for a name beside its script.
const nameRoom = 4

// titled puts a name, the script that it runs and [pid] into width columns: the part that
// distinguishes two names is cut last.
func titled(name, script, pid string, width int, g *glyphs) string {
	if script == "" && pid != "" {
		return cutTail(name, pid, width, g.dots)
	}
	full := strings.TrimSpace(name + " " + script)
	if w, _ := textWidth(full + pid); w > width && script != "" {
		full = script
		beside, _ := textWidth(script + pid)
		if room := width - beside - 1; name != "" && room >= nameRoom {
			full = cut(name, room, g.dots) + " " + script
		}
	}
	return cutMiddle(full, pid, width, g.dots)
}

func peerTitle(k *groupKey, width int, g *glyphs) string {
	switch {
	case k.others:
		return othersTitle
	case !k.prefix.Addr().IsValid():
		return "(not known)"
	case k.prefix.IsSingleIP():
		return cutMiddle(safetext.Escape(k.prefix.Addr().String()), "", width, g.dots)
	default:
		return cutMiddle(k.prefix.String(), "", width, g.dots)
	}
}
