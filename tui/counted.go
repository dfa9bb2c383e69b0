package tui

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// ordinary counts ends that were only counted. Their peers are not known.
func (t *tally) ordinary(r *model.Record) {
	d, c := r.Teardown, &r.Counted
	d.Verdict, d.Cause = model.Graceful, model.CauseFIN
	t.counts.change(c)
	t.history.change(d.Time, c)
	for _, table := range t.tables {
		if !dimensions[table.by].counted {
			continue
		}
		g := table.group(dimensions[table.by].key(&d))
		g.counts.change(c)
		g.causes[model.CauseFIN] += uint32(c.Ends)
		g.causes[model.CauseFIN] -= min(uint32(c.TakenBack), g.causes[model.CauseFIN])
		g.seen(d.Time, d.Time)
		g.history.change(d.Time, c)
	}
}

func (p *perVerdict) change(c *model.Counted) {
	p[model.Graceful] += c.Ends
	p[model.Graceful] -= min(c.TakenBack, p[model.Graceful])
}

func (h *history) change(t model.Time, c *model.Counted) {
	h.add(t, model.Graceful, uint32(c.Ends))
	if i := h.number(t); h.covers(i) {
		n := &h.span(i)[model.Graceful]
		*n -= min(uint32(c.TakenBack), *n)
	}
}

// countedWord says what was only counted, and whose.
func countedWord(r *model.Record) string {
	f, c := &r.Teardown.Facts, &r.Counted
	who := cmp.Or(safetext.Escape(f.Process.Name), "a process")
	if f.Process.PID != 0 {
		who += fmt.Sprintf("[%d]", f.Process.PID)
	}
	where := fmt.Sprintf("at port %d", f.Network.Local.Port)
	if f.TCP.Role == model.Active {
		where = fmt.Sprintf("to port %d", f.Network.Peer.Port)
	}
	var parts []string
	if c.Ends > 0 {
		parts = append(parts, fmt.Sprintf("%s graceful, only counted; sent %s, received %s", human.Count(c.Ends), human.Bytes(c.Sent), human.Bytes(c.Received)))
	}
	if c.TakenBack > 0 {
		parts = append(parts, human.Count(c.TakenBack)+" counted before are reported after all")
	}
	return who + " " + where + ": " + strings.Join(parts, "; ")
}
