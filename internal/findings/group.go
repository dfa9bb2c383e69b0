package findings

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

const (
	// maxGroups bounds the groups of all patterns.
	maxGroups = 1024
	// maxEvidence is how many ids prove a finding, maxPeers how many peers it names.
	maxEvidence = 10
	maxPeers    = 8
)

// kind keeps apart what one pattern says in different words.
type kind uint8

const (
	ordinaryKind kind = iota
	attempts          // of path-dead: those that never opened
	firstMessage      // of turned-away: the server has read it
	atOnceReset       // of turned-away: by SO_LINGER {1,0}
	neverUsed         // of keepalive-race: nothing had been said
	byUpstream        // of abort-on-close: a proxy passes on what its server did
)

// key is what the connections of one finding have in common.
type key struct {
	pattern uint8
	port    uint16
	passive bool // the port is the local one
	kind    kind
	process string
	peer    netip.Addr
}

func (k *key) compare(o *key) int {
	return cmp.Or(cmp.Compare(k.pattern, o.pattern), cmp.Compare(k.process, o.process), cmp.Compare(k.port, o.port), k.peer.Compare(o.peer), cmp.Compare(k.kind, o.kind))
}

// group is what connections that match a pattern have in common.
type group struct {
	key         key
	count       uint64
	first, last model.Time
	inferred    bool
	evidence    []string
	local       netip.Addr // invalid if they are of several
	spaces      []uint32   // the first network namespaces
	peers       []visitor
	morePeers   bool
	pids        []int
	partner     string // the process at the other end, if it is on this host
	detail      string // of the pattern: a signal, an error; that of the first which has one
	detailed    uint64 // how many have that one
	foreign     uint64 // how many listeners' ends another process caused
	gaps        bool   // idle times, or durations, differ from those of the records
	spokeLast   uint64 // on how many the client had spoken last, and the server before
	asked       uint64 // on how many of these not at once after the server
	echoes      uint64 // on how many its last words may need no answer
	afters      uint64 // on how many it had spoken at once after this end, those included
	mute        bool   // on one of them this end had not said anything
	unasked     uint64 // on how many the peer had not
	covered     bool   // another finding says it
	unreachable bool   // of path-dead: an ICMP error, or no answer to ARP, ended one of them
	also        uint64 // attempts that another group has, and the same reason
	alsoOf      []string
	heir        string // the process that ended, if that is not the owner
	raced       *group // of keepalive-race, at the same place: patterns can't name each other
	killer      string // who sent that signal
	killerPID   int
	reset       uint64 // how many ended by RST
	oom, notOOM uint64 // how many were killed by the OOM killer, and how many by others
	detailPeer  netip.AddrPort
	bytes       uint64 // of the pattern: lost, unread
	idle        spread
	blocked     spread        // how long something took
	interval    spread        // between two of them
	values      values        // of idle
	closed      [2]model.Time // when the first and the last of them began to end
	ended       clusters      // of their ends, within a second
	closings    clusters      // of when they began to end, within a slice

	left []model.Time // when each of pids began to end its first one
}

// tooFew reports whether the group has too few connections to be a finding, or is one only if a
// counter moved.
func (g *group) tooFew() bool {
	p := &patterns[g.key.pattern]
	return g.count < p.least || p.locked
}

// group returns the group of k; nil if there are too many.
func (e *Engine) group(k key) *group {
	g := e.groups[k]
	if g == nil {
		if len(e.groups) >= maxGroups && !e.evict() {
			e.untracked++
			return nil
		}
		g = &group{key: k}
		e.groups[k] = g
		if g.tooFew() {
			e.sparse++
		}
	}
	return g
}

// evict forgets the older half of the groups that have too few connections to be a finding; false
// if there are so few of these that looking for them would cost more than it brings.
func (e *Engine) evict() bool {
	if e.sparse < maxGroups/16 {
		return false
	}
	var list []*group
	for _, g := range e.groups {
		if g.tooFew() {
			list = append(list, g)
		}
	}
	e.sparse = len(list)
	slices.SortFunc(list, func(a, b *group) int { return cmp.Or(cmp.Compare(a.last, b.last), a.key.compare(&b.key)) })
	for _, g := range list[:len(list)/2] {
		delete(e.groups, g.key)
		e.untracked += g.count
		e.sparse--
	}
	return len(e.groups) < maxGroups
}

// match is a connection that a pattern looks at, and what it found.
type match struct {
	engine *Engine
	end    *end
	other  *end // nil if it is not on this host
	// What the pattern says of it:
	inferred bool
	bytes    int64
	idle     time.Duration
	blocked  time.Duration
	detail   string
	kind     kind
	peer     netip.AddrPort // if not that of the end
	also     string         // the id of another end that proves it
	gap      bool           // idle is the time before a farewell, or the record's duration has a wait after the close
	told     bool           // the process ended because another one signalled it
	echo     bool           // the peer's last words may need no answer
	after    bool           // they came at once after those of this end
	foreign  bool           // another process ended the listener, by no call of its own
}

func (g *group) add(m *match) {
	x := m.end
	if len(g.spaces) < maxPeers && !slices.Contains(g.spaces, x.netns) {
		g.spaces = append(g.spaces, x.netns)
	}
	if g.count == 0 {
		g.local = x.local.Addr()
	} else {
		if g.local != x.local.Addr() {
			g.local = netip.Addr{}
		}
		if x.time >= g.last { // else it is of another recording, and not the next one
			g.interval.add(x.time.Sub(g.last))
		}
	}
	g.count++
	g.ended.add(x.time, time.Second)
	g.closings.add(x.closing(), slice)
	if g.first == 0 || x.time < g.first {
		g.first = x.time
	}
	g.last = max(g.last, x.time)
	g.inferred = g.inferred || m.inferred || x.inferred && x.rule != "fin-active"
	g.prove(x.id)
	g.partner = cmp.Or(g.partner, x.far)
	if m.other != nil {
		g.prove(m.other.id)
		g.partner = cmp.Or(m.other.process, g.partner)
	}
	if m.also != "" {
		g.prove(m.also)
	}
	g.meet(x.peer.Addr(), x.time)
	g.closedBy(x)
	if m.bytes > 0 {
		g.bytes += uint64(m.bytes)
	}
	if m.idle > 0 {
		g.idle.add(m.idle)
		g.values.add(m.idle)
	}
	if m.blocked > 0 {
		g.blocked.add(m.blocked)
	}
	if x.verdict == model.Abortive {
		g.reset++
	}
	if at := x.closing(); g.closed[0] == 0 || at < g.closed[0] {
		g.closed[0] = at
	}
	g.closed[1] = max(g.closed[1], x.closing())
	if g.detail = cmp.Or(g.detail, m.detail); g.detail != "" && g.detail == m.detail {
		g.detailed++
	}
	g.gaps = g.gaps || m.gap
	g.mute = g.mute || x.sent == 0
	if x.received == 0 {
		g.unasked++
	}
	g.unreachable = g.unreachable || x.cause == model.CauseUnreachable
	if m.echo {
		g.echoes++
	}
	if m.after {
		g.afters++
	}
	if m.foreign {
		g.foreign++
	}
	if x.clientLast() {
		g.spokeLast++
		if x.asked() {
			g.asked++
		}
	}
	if x.call == model.CallExit && x.pid != 0 && x.closerPID != 0 && x.closerPID != x.pid {
		g.heir = cmp.Or(g.heir, x.closer)
	}
	if g.killer == "" && m.told {
		g.killer, g.killerPID = x.toldBy, x.toldPID
	}
	if oom, known := x.oom.Get(); known && oom {
		g.oom++
	} else if known {
		g.notOOM++
	}
	if m.peer.IsValid() {
		g.detailPeer = m.peer
	}
}

// closedBy remembers the process of x.
func (g *group) closedBy(x *end) {
	switch i := slices.Index(g.pids, x.pid); {
	case i >= 0:
		g.left[i] = min(g.left[i], x.closing())
	case len(g.pids) < maxPeers && x.pid != 0:
		g.pids, g.left = append(g.pids, x.pid), append(g.left, x.closing())
	}
}

// netns is the network namespace of all, anywhere if they are of several.
func (g *group) netns() uint32 {
	if len(g.spaces) == 1 {
		return g.spaces[0]
	}
	return anywhere
}

// signal is the detail of patterns in which it is a signal, if most ended by it.
func (g *group) signal() string {
	if 2*g.detailed < g.count {
		return ""
	}
	return g.detail
}

func (g *group) prove(id string) {
	if len(g.evidence) < maxEvidence && !slices.Contains(g.evidence, id) {
		g.evidence = append(g.evidence, id)
	}
}

// visitor is a peer, and how regularly it comes: two that are regular are not so together.
type visitor struct {
	address netip.Addr
	last    model.Time
	again   uint64 // after the first time
	rhythm  rhythm
}

func (v *visitor) regular() bool { return v.rhythm.steady(v.again) }

func (g *group) meet(peer netip.Addr, at model.Time) {
	for i := range g.peers {
		if v := &g.peers[i]; v.address == peer {
			v.rhythm.add(at.Sub(v.last))
			v.again++
			v.last = at
			return
		}
	}
	if len(g.peers) == maxPeers {
		g.morePeers = true
		return
	}
	g.peers = append(g.peers, visitor{address: peer, last: at})
}

// irregular is how many came from peers that do not come at regular times.
func (g *group) irregular() uint64 {
	n := g.count
	for i := range g.peers {
		if v := &g.peers[i]; v.regular() {
			n -= v.again + 1
		}
	}
	return n
}
