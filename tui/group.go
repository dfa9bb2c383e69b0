package tui

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// groupKey is the identity of a row of a grouped view. Only the fields of its
// dimension are set. The zero name and place are "not known".
type groupKey struct {
	cause  model.Cause
	name   string
	script string // what the program is an interpreter of
	place  string
	pid    int
	prefix netip.Prefix
	others bool // rows that were folded together for lack of room
}

// commMax is how long the kernel lets a name be, TASK_COMM_LEN less its end.
const commMax = 15

// ownerName returns the name of the owner, as its program file has it if the kernel has cut
// it, and the script that it runs.
func ownerName(f *model.Facts) (name, script string) {
	p := &f.Process
	switch {
	case p.Name == "" && p.PID == 0:
		return f.Closer.Name, ""
	case p.Script != "":
		script = path.Base(p.Script)
		if strings.HasPrefix(script, p.Name) {
			return script, "" // it was started by its own name
		}
		if ownName(p) {
			return p.Name, ""
		}
	case len(p.Name) == commMax:
		if file := path.Base(p.Executable.Path); strings.HasPrefix(file, p.Name) {
			return file, ""
		}
	}
	return p.Name, script
}

// ownName reports whether a program has named itself (prctl), so that its interpreter and its
// script say less. Node calls its main thread so since version 23.
func ownName(p *model.Process) bool {
	file := path.Base(p.Executable.Path)
	return p.Executable.Path != "" && !strings.HasPrefix(file, p.Name) && !strings.HasPrefix(p.Name, file) &&
		!strings.HasSuffix(p.Name, "MainThread")
}

// ownerPlace is where the owner runs: its pod, container, unit or Windows service.
func ownerPlace(f *model.Facts) string {
	for _, s := range []string{f.K8s.Pod.Name, f.Container.Name, f.Container.ID} {
		if s != "" {
			return s
		}
	}
	return cmp.Or(f.Systemd.Unit, f.Process.Service)
}

// A group's history is two minutes in spans of five seconds.
const (
	groupSpans = 24
	groupSpan  = 5 * time.Second
)

// group is a row of a grouped view.
type group struct {
	key     groupKey
	counts  perVerdict
	causes  [model.NumCauses]uint32
	aborts  [model.NumDoers]uint64
	lost    uint64 // bytes
	first   model.Time
	last    model.Time
	history history
	recent  recent
}

// seen widens the time from the first to the last end.
func (g *group) seen(first, last model.Time) {
	if g.first == 0 || first != 0 && first < g.first {
		g.first = first
	}
	g.last = max(g.last, last)
}

// clampCause makes a cause of a later version an unknown one.
func clampCause(c model.Cause) model.Cause {
	if int(c) < model.NumCauses {
		return c
	}
	return model.CauseUnknown
}

// mostly returns the most frequent cause but fin, or fin if there is no other.
func mostly(causes *[model.NumCauses]uint32) model.Cause {
	most, top := model.CauseFIN, uint32(0)
	for c, n := range causes {
		if n > top && model.Cause(c) != model.CauseFIN {
			most, top = model.Cause(c), n
		}
	}
	return most
}

// maxGroups bounds each table: a scan of addresses must not eat the memory.
const maxGroups = 1024

// table holds the groups of one dimension.
type table struct {
	by     dimension
	groups map[groupKey]*group
	others *group // what was folded together
	free   []*group
	recent [recentGroups]*group // groups by a part of their key: saves the search
}

// recentGroups is a power of two.
const recentGroups = 256

// slot returns the place of k among the recent groups.
func (k *groupKey) slot() uint {
	n := uint(k.cause) + uint(k.pid) + uint(len(k.name)) + uint(len(k.place))*7 + uint(len(k.script))*13
	if k.name != "" {
		n += uint(k.name[0])*31 + uint(k.name[len(k.name)-1])
	}
	if a := k.prefix.Addr(); a.IsValid() {
		b := a.As16()
		n += uint(b[15]) + uint(b[14])*31 + uint(b[7])*17 + uint(b[13])
	}
	return n % recentGroups
}

func newTable(by dimension) *table { return &table{by: by, groups: map[groupKey]*group{}} }

func (t *table) group(key groupKey) *group {
	recent := &t.recent[key.slot()]
	if g := *recent; g != nil && g.key == key {
		return g
	}
	if g := t.groups[key]; g != nil {
		*recent = g
		return g
	}
	if len(t.groups) >= maxGroups {
		t.fold()
	}
	var g *group
	if n := len(t.free); n > 0 {
		g, t.free = t.free[n-1], t.free[:n-1]
	} else {
		g = &group{history: newHistory(groupSpans, groupSpan)}
	}
	g.key = key
	t.groups[key] = g
	return g
}

// fold moves a small group into the others: of a few taken at random, the one
// with the fewest ends.
func (t *table) fold() {
	var least *group
	tries := 8
	for _, g := range t.groups {
		if least == nil || g.counts.total() < least.counts.total() {
			least = g
		}
		if tries--; tries == 0 {
			break
		}
	}
	if t.others == nil {
		t.others = &group{key: groupKey{others: true}, history: newHistory(groupSpans, groupSpan)}
	}
	t.others.merge(least)
	delete(t.groups, least.key)
	t.recent[least.key.slot()] = nil
	clear(least.history.spans)
	*least = group{history: history{spans: least.history.spans, width: groupSpan}}
	t.free = append(t.free, least)
}

func (g *group) merge(o *group) {
	for v, n := range o.counts {
		g.counts[v] += n
	}
	for c, n := range o.causes {
		g.causes[c] += n
	}
	for by, n := range o.aborts {
		g.aborts[by] += n
	}
	g.lost += o.lost
	g.seen(o.first, o.last)
	oldest := max(o.history.newest-groupSpans+1, 0)
	for i := oldest; i <= o.history.newest; i++ {
		for v, n := range o.history.at(i) {
			g.history.add(model.Time(i*int64(groupSpan)), model.Verdict(v), n)
		}
	}
	for _, c := range o.recent {
		g.recent.add(c, g.history.oldest())
	}
}

func (t *table) copy() *table {
	c := newTable(t.by)
	for key, g := range t.groups {
		c.groups[key] = g.copy()
	}
	if t.others != nil {
		c.others = t.others.copy()
	}
	return c
}

func (g *group) copy() *group {
	c := *g
	c.history, c.recent = g.history.copy(), slices.Clone(g.recent)
	return &c
}
