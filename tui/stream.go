package tui

import (
	"cmp"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// streamSort is what the stream is sorted by.
type streamSort uint8

const (
	sortTime streamSort = iota
	sortLost
	sortBlocked
	sortAge
	streamSorts
)

// streamList is the stream view: one row per record. The selection is the
// sequence number of a record; it stays with the record, and the record stays
// in its line of the screen while others come in.
type streamList struct {
	sort     streamSort
	reverse  bool // the order of sort turned round
	order    []uint64
	sorted   model.Time // when order was made
	follow   bool       // the selection is always the newest record
	selected uint64
	line     int // the line of the selection, from 0

	shown  []streamRow // what is on the screen
	total  int
	height int
	drawn  model.Time // when rows was taken
	newest uint64     // the newest record then
	stale  bool       // rows must be taken anew: a key was pressed, the size changed
}

// A stream that runs too fast to be read is shown less often, so that it does
// not fill a slow line to the terminal: if more than a part of the rows is new.
const (
	fastStream = 600 * time.Millisecond
	fastPart   = 8
)

// tooFast reports whether the rows can stay as they are for now.
func (l *streamList) tooFast(d *deck, height int, now model.Time) bool {
	if l.stale || !l.follow || len(l.shown) < l.height || l.height != max(height, 0) || d.journal.next < l.newest {
		return false
	}
	return d.journal.next-l.newest > uint64(l.height/fastPart) && now >= l.drawn && now.Sub(l.drawn) < fastStream
}

// streamRow is one row on the screen. The record is a copy: the journal may
// have dropped it by the time it is drawn.
type streamRow struct {
	seq uint64
	rec model.Record
}

// newest reports whether the newest record is the first row.
func (l *streamList) newestFirst() bool { return l.sort == sortTime && l.reverse }

// resort makes the order of a list that is not sorted by time, at most once a
// second: rows that change places ten times a second can't be read.
func (l *streamList) resort(d *deck, now model.Time) {
	if l.sort == sortTime {
		l.order = nil
		return
	}
	fresh := len(l.order) > 0 && now.Sub(l.sorted) < time.Second && now >= l.sorted
	if fresh && l.order[0] >= d.journal.first {
		l.forget(d.journal.first)
		return
	}
	l.sorted = now
	type entry struct {
		seq   uint64
		value int64
	}
	entries := make([]entry, d.hits.len())
	for i := range entries {
		seq := d.hits.at(i)
		entries[i] = entry{seq, l.value(d.journal.peek(seq))}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if c := cmp.Compare(b.value, a.value); c != 0 {
			return c
		}
		return cmp.Compare(b.seq, a.seq)
	})
	l.order = l.order[:0]
	for _, e := range entries {
		l.order = append(l.order, e.seq)
	}
	if l.reverse {
		slices.Reverse(l.order)
	}
}

// forget removes the numbers below first from order.
func (l *streamList) forget(first uint64) {
	l.order = slices.DeleteFunc(l.order, func(seq uint64) bool { return seq < first })
}

// value is what a record is sorted by; what is not known comes after 0.
func (l *streamList) value(r *model.Record) int64 {
	t := &r.Teardown
	switch l.sort {
	case sortLost:
		if !t.TCP.Bytes.Unacked.Known() && !t.TCP.Bytes.Unread.Known() {
			return -1
		}
		return int64(min(t.TCP.Bytes.Lost(), 1<<62))
	case sortBlocked:
		return int64(t.CloseBlocked.Or(-1))
	case sortAge:
		return int64(t.Duration.Or(-1))
	default:
		return 0
	}
}

func (l *streamList) len(d *deck) int {
	if l.sort == sortTime {
		return d.hits.len()
	}
	return len(l.order)
}

func (l *streamList) at(d *deck, i int) uint64 {
	switch {
	case l.sort != sortTime:
		return l.order[i]
	case l.reverse:
		return d.hits.at(d.hits.len() - 1 - i)
	default:
		return d.hits.at(i)
	}
}

// find returns the place of the record seq, or one near it if it is gone.
func (l *streamList) find(d *deck, seq uint64) int {
	n := l.len(d)
	i := 0
	switch {
	case l.sort != sortTime:
		i = max(slices.Index(l.order, seq), 0)
	case l.reverse:
		i = n - 1 - d.index(seq)
	default:
		i = d.index(seq)
	}
	return min(max(i, 0), max(n-1, 0))
}

// refresh takes what the next frame shows out of d; now is the time of the user, not of the
// records.
func (l *streamList) refresh(d *deck, height int, now model.Time) {
	if l.tooFast(d, height, now) {
		return
	}
	l.height = max(height, 0)
	l.drawn, l.newest, l.stale = now, d.journal.next, false
	l.resort(d, now)
	l.total = l.len(d)
	l.shown = l.shown[:0]
	if l.total == 0 || l.height == 0 {
		return
	}
	place := l.place(d)
	l.selected = l.at(d, place)
	l.line = min(max(l.line, 0), l.height-1)
	top := min(max(place-l.line, 0), max(l.total-l.height, 0))
	l.line = place - top
	for i := top; i < min(top+l.height, l.total); i++ {
		seq := l.at(d, i)
		l.shown = append(l.shown, streamRow{seq, *d.journal.at(seq)})
	}
}

// place returns the row number of the selection.
func (l *streamList) place(d *deck) int {
	switch {
	case !l.follow:
		return l.find(d, l.selected)
	case l.sort == sortTime && !l.reverse:
		l.line = l.height - 1
		return l.total - 1
	default:
		l.line = 0
		return 0
	}
}

// title implements [view].
func (l *streamList) title() string { return "Stream" }

// keys implements [view].
func (l *streamList) keys(s *screen) []action {
	return []action{
		act(s.keys.sort, func(*screen) { l.sort, l.order, l.follow = (l.sort+1)%streamSorts, nil, true }),
		act(s.keys.reverse, func(*screen) { l.reverse, l.order = !l.reverse, nil }),
	}
}

// choose implements [chooser].
func (l *streamList) choose(*matcher) { l.order = nil }

// rows implements [view].
func (l *streamList) rows(s *screen, d *deck, height int) { l.refresh(d, height, s.wall) }

// enter implements [view].
func (l *streamList) enter(s *screen) { s.openDetail() }

// move implements [view].
func (l *streamList) move(s *screen, n int) {
	s.with(func(d *deck) {
		switch n {
		case toFirst:
			l.toFirst(d)
		case toLast:
			l.toLast(d)
		default:
			l.step(d, n)
		}
	})
}

// clicked implements [clicker].
func (l *streamList) clicked(_ *screen, line int) {
	if line < len(l.shown) {
		l.sel(l.shown[line].seq)
		l.line = line
	}
}

// step moves the selection by n rows and stops following.
func (l *streamList) step(d *deck, n int) {
	total := l.len(d)
	if total == 0 {
		return
	}
	from := l.place(d)
	to := min(max(from+n, 0), total-1)
	l.selected, l.line, l.follow = l.at(d, to), l.line+to-from, false
}

// toFirst and toLast go to an end of the list. At the end where new records
// come in, the selection follows them.
func (l *streamList) toFirst(d *deck) {
	l.step(d, -l.len(d))
	l.follow = l.sort != sortTime || l.newestFirst()
}

func (l *streamList) toLast(d *deck) {
	l.step(d, l.len(d))
	l.follow = l.sort == sortTime && !l.reverse
}

// sel selects the record seq.
func (l *streamList) sel(seq uint64) { l.selected, l.follow = seq, false }

// current returns the selected row, if there is one.
func (l *streamList) current() *streamRow {
	for i := range l.shown {
		if l.shown[i].seq == l.selected {
			return &l.shown[i]
		}
	}
	return nil
}
