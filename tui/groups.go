package tui

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// groupSort is what a grouped view is sorted by.
type groupSort uint8

const (
	sortAbortive groupSort = iota
	sortByPeer
	sortGroupLost
	sortMinute
	sortTotal
	sortLast
	sortName
	groupSorts
)

// groupList is a grouped view: one row per group. The selection is the key of
// a group and stays with it, wherever the order puts it.
type groupList struct {
	name     string // on the tab
	sort     groupSort
	reverse  bool
	minute   bool // rows are those of the last minute
	selected groupKey
	chosen   bool // a row was selected; if not, it is the first
	line     int
	stale    bool       // something was pressed: order again
	taken    model.Time // when rows was made

	all    []groupRow // in order
	by     dimension
	top    int
	height int
}

// groupRow is one row, copied out of the tally.
type groupRow struct {
	key    groupKey
	counts perVerdict
	total  uint64
	aborts [model.NumDoers]uint64
	lost   uint64
	first  model.Time
	last   model.Time
	minute uint64      // ends in the last minute
	mostly model.Cause // the most frequent cause but fin
	group  *group      // only valid while the deck is locked
	curve  [groupSpans]uint64
}

// title implements [view].
func (l *groupList) title() string { return l.name }

// keys implements [view].
func (l *groupList) keys(s *screen) []action {
	k := &s.keys
	keys := []action{
		act(k.sort, func(*screen) { l.nextSort() }),
		act(k.window, func(s *screen) { s.minute = !s.minute; l.stale = true }),
	}
	if dimensions[l.by].next != l.by {
		keys = append(keys, act(k.group, l.regroup))
	}
	return append(keys, act(k.reverse, func(*screen) { l.reverse, l.stale = !l.reverse, true }))
}

// nextSort sorts by the next column. A cause says by itself who did it.
func (l *groupList) nextSort() {
	l.sort, l.stale, l.chosen = (l.sort+1)%groupSorts, true, false
	if l.sort == sortByPeer && l.by == byCause {
		l.sort++
	}
}

// regroup shows processes by pid, or peers by network, or back.
func (l *groupList) regroup(*screen) { l.by, l.stale, l.chosen = dimensions[l.by].next, true, false }

// choose implements [chooser].
func (l *groupList) choose(*matcher) { l.stale = true }

// enter implements [view]: it opens the stream of the group.
func (l *groupList) enter(s *screen) {
	row := l.current()
	if row == nil || row.key.others {
		return
	}
	q := s.query
	q.scope = &scope{by: l.by, key: row.key, from: l}
	_ = s.choose(q)
	s.stream.follow = true
	s.show(&s.stream)
}

// rows implements [view]. Order and numbers change at most twice a
// second of the user's, which is as often as one can read them.
func (l *groupList) rows(s *screen, d *deck, height int) {
	l.height = max(height, 0)
	if l.minute != s.minute {
		l.minute, l.stale = s.minute, true
	}
	if l.stale || s.wall < l.taken || s.wall.Sub(l.taken) >= 500*time.Millisecond || len(l.all) == 0 {
		l.take(d.shown.tables[l.by], s.now)
		l.drawCurves(s.now)
		l.stale, l.taken = false, s.wall
	}
	place := l.place()
	l.line = min(max(l.line, 0), max(l.height-1, 0))
	l.top = min(max(place-l.line, 0), max(len(l.all)-l.height, 0))
	l.line = place - l.top
}

func (l *groupList) take(t *table, now model.Time) {
	l.all = l.all[:0]
	for _, g := range t.groups {
		if g.counts.total() > 0 { // its last end may have been amended
			l.all = append(l.all, l.rowOf(g, now))
		}
	}
	slices.SortFunc(l.all, l.compare)
	if t.others != nil {
		l.all = append(l.all, l.rowOf(t.others, now))
	}
	if l.minute {
		l.all = slices.DeleteFunc(l.all, func(r groupRow) bool { return r.total == 0 })
	}
}

// drawCurves fills in those of the rows that may be shown, once their order is known.
func (l *groupList) drawCurves(now model.Time) {
	place := l.place()
	for i := range l.all {
		if i >= place-l.height && i <= place+l.height {
			copy(l.all[i].curve[:], l.all[i].group.history.curve(now, groupSpans, 1, anyVerdict))
		}
		l.all[i].group = nil
	}
}

func anyVerdict(model.Verdict) bool { return true }

func (l *groupList) rowOf(g *group, now model.Time) groupRow {
	r := groupRow{key: g.key, counts: g.counts, aborts: g.aborts, lost: g.lost, first: g.first, last: g.last, mostly: mostly(&g.causes), group: g}
	minute := g.history.last(now, time.Minute)
	r.minute = minute.total()
	if l.minute {
		r.counts = minute
		g.lastMinute(&r, now)
	}
	r.total = r.counts.total()
	return r
}

// compare orders the largest first, names from A; equal rows by name, so that
// they do not change places.
func (l *groupList) compare(a, b groupRow) int {
	c := 0
	switch l.sort {
	case sortTotal:
		c = cmp.Compare(b.total, a.total)
	case sortAbortive:
		c = cmp.Compare(b.counts[model.Abortive], a.counts[model.Abortive])
	case sortByPeer:
		c = cmp.Compare(b.aborts[model.DoerPeer], a.aborts[model.DoerPeer])
	case sortGroupLost:
		c = cmp.Compare(b.lost, a.lost)
	case sortMinute:
		c = cmp.Compare(b.minute, a.minute)
	case sortLast:
		c = cmp.Compare(b.last, a.last)
	case sortName, groupSorts:
	}
	if c == 0 {
		c = cmp.Or(cmp.Compare(b.total, a.total), a.key.compare(b.key))
	}
	if l.reverse {
		return -c
	}
	return c
}

func (k groupKey) compare(o groupKey) int {
	return cmp.Or(
		strings.Compare(k.name, o.name), strings.Compare(k.place, o.place), cmp.Compare(k.pid, o.pid),
		k.prefix.Addr().Compare(o.prefix.Addr()), strings.Compare(k.cause.String(), o.cause.String()),
	)
}

// place returns the row number of the selection.
func (l *groupList) place() int {
	if !l.chosen {
		return 0
	}
	for i := range l.all {
		if l.all[i].key == l.selected {
			return i
		}
	}
	return min(max(l.top+l.line, 0), max(len(l.all)-1, 0))
}

// move implements [view].
func (l *groupList) move(_ *screen, n int) {
	if len(l.all) == 0 {
		return
	}
	from := l.place()
	to := min(max(from+n, 0), len(l.all)-1)
	l.selected, l.chosen, l.line, l.stale = l.all[to].key, n != toFirst, l.line+to-from, true // at the top, whichever group gets there
}

// clicked implements [clicker].
func (l *groupList) clicked(s *screen, line int) {
	if l.top+line < len(l.all) {
		l.move(s, l.top+line-l.place())
	}
}

// current returns the selected row, if there is one.
func (l *groupList) current() *groupRow {
	if len(l.all) == 0 {
		return nil
	}
	return &l.all[l.place()]
}

// visible returns the rows that are on the screen.
func (l *groupList) visible() []groupRow {
	return l.all[min(l.top, len(l.all)):min(l.top+l.height, len(l.all))]
}
