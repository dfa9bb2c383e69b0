package tui

import (
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// recentCell counts the ends of a group in one span that ended alike.
type recentCell struct {
	span  int64
	lost  uint64 // bytes
	ends  uint32
	cause model.Cause
	by    model.Doer
	// abortive: by ended them.
	abortive bool
}

// recent is what the last minute of a group is made of beside its history. Graceful ends
// by fin that lost nothing are in no cell, so that most groups have few.
type recent []recentCell

// recentSpans are those of the last minute.
const recentSpans = int64(time.Minute / groupSpan)

func (c *recentCell) alike(o *recentCell) bool {
	return c.span == o.span && c.cause == o.cause && c.abortive == o.abortive && c.by == o.by
}

// cell is where c is counted; ends is 0 if that is nowhere.
func (g *group) cell(c *tallied) recentCell {
	cell := recentCell{span: g.history.number(c.time), lost: c.lost(), cause: c.cause, abortive: c.verdict == model.Abortive}
	if cell.abortive {
		cell.by = c.by
	}
	if g.history.covers(cell.span) && (cell.abortive || cell.lost > 0 || cell.cause != model.CauseFIN) {
		cell.ends = 1
	}
	return cell
}

// place returns the place of the cell for ends as those of c, -1 if there is none.
func (r recent) place(c *recentCell) int {
	for i := len(r) - 1; i >= 0; i-- { // the newest come last
		if r[i].alike(c) {
			return i
		}
	}
	return -1
}

// add counts the ends of c; those of spans before oldest may be forgotten.
func (r *recent) add(c recentCell, oldest int64) {
	if c.ends == 0 || c.span < oldest {
		return
	}
	if i := r.place(&c); i >= 0 {
		(*r)[i].ends += c.ends
		(*r)[i].lost += c.lost
		return
	}
	if len(*r) == cap(*r) {
		*r = slices.DeleteFunc(*r, func(o recentCell) bool { return o.span < oldest })
	}
	*r = append(*r, c)
}

// take is the opposite of add.
func (r recent) take(c recentCell) {
	if i := r.place(&c); i >= 0 {
		r[i].ends -= min(c.ends, r[i].ends)
		r[i].lost -= min(c.lost, r[i].lost)
	}
}

// oldest is the first span that may still be asked for: now may be a span behind.
func (h *history) oldest() int64 { return h.newest - recentSpans - 1 }

// rewind forgets what is later than now.
func (g *group) rewind(now model.Time) {
	g.history.rewind(now)
	g.recent = slices.DeleteFunc(g.recent, func(c recentCell) bool { return c.span > g.history.newest })
}

// lastMinute makes the numbers of a row those of the last minute.
func (g *group) lastMinute(r *groupRow, now model.Time) {
	var causes [model.NumCauses]uint32
	r.lost, r.aborts = 0, [model.NumDoers]uint64{}
	end := g.history.number(now)
	for i := range g.recent {
		c := &g.recent[i]
		if c.span > end || c.span <= end-recentSpans { // as history.last has it
			continue
		}
		causes[c.cause] += c.ends
		r.lost += c.lost
		if c.abortive {
			r.aborts[c.by] += uint64(c.ends)
		}
	}
	r.mostly = mostly(&causes)
}
