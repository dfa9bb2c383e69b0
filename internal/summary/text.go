package summary

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// TextOptions says how Text writes. The zero value fits a screen of 80 x 45.
type TextOptions struct {
	// Rows is how many lines each table has; 0 is 5.
	Rows int
	// Width is the number of columns; 0 is 80, and less is taken for 80.
	Width int
	// Height is the number of lines; tables are shortened to keep to it. 0 is
	// any.
	Height int
	// ASCII leaves out characters that old terminals don't have.
	ASCII bool
}

// Text writes s as one screen of plain text. Names are escaped.
func (s *Summary) Text(w io.Writer, o TextOptions) error {
	if o.Rows == 0 {
		o.Rows = 5
	}
	o.Width = max(o.Width, 80)
	var p *page
	for _, p = range o.pages() {
		p.summary(s)
		if o.Height == 0 || bytes.Count(p.Bytes(), []byte("\n")) <= o.Height {
			break
		}
	}
	_, err := w.Write(p.Bytes())
	return err
}

// pages returns empty pages for ever smaller screens: fewer lines in the
// tables, then none between them, then without the peers, whom the table of who
// is aborted has too.
func (o TextOptions) pages() (list []*page) {
	for _, p := range []page{{least: 3}, {least: 2, tight: true}, {least: 1, tight: true, noPeers: true}} {
		for rows := o.Rows; rows >= min(p.least, o.Rows); rows-- {
			p.options = o
			p.options.Rows = rows
			list = append(list, &page{options: p.options, tight: p.tight, noPeers: p.noPeers})
		}
	}
	return list
}

func (p *page) summary(s *Summary) {
	p.head(s)
	p.verdicts(s)
	p.causes(s)
	rows := p.options.Rows
	p.groups("process", s.Processes(rows), s.processes.evicted)
	if !p.noPeers {
		p.groups("peer", s.Peers(rows), s.peers.evicted)
	}
	p.groups("aborted most", s.Aborted(rows), s.talks.evicted)
	p.quantiles(s)
	p.closers(s)
	p.losses(s)
}

type page struct {
	bytes.Buffer
	options        TextOptions
	least          int  // rows of the last page of its sort
	tight, noPeers bool // without empty lines, without the table of peers
}

// line writes a line, which is cut where the screen ends.
func (p *page) line(format string, args ...any) {
	fmt.Fprintf(p, "%s\n", cut(strings.TrimRight(fmt.Sprintf(format, args...), " "), p.options.Width))
}

// title begins a part.
func (p *page) title(format string, args ...any) {
	if !p.tight {
		_ = p.WriteByte('\n')
	}
	p.line(format, args...)
}

func (p *page) verdicts(s *Summary) {
	total := s.Total.Total()
	if total == 0 {
		return
	}
	p.title("%-16s %11s %6s  over time", "verdict", "ends", "%")
	for _, v := range model.Verdicts() {
		n := s.Total.Verdicts[v]
		if n == 0 {
			continue
		}
		p.line("%-16s %11s %6s  %s", v, human.Count(n), human.Percent(float64(n), float64(total)), p.spark(s, v))
	}
}

func (p *page) spark(s *Summary, v model.Verdict) string {
	buckets := s.Timeline.Buckets()
	columns := min(p.options.Width-40, len(buckets)) // beside name, count and share
	if columns == 0 {
		return ""
	}
	sums := make([]uint64, columns)
	for i := range buckets {
		sums[i*columns/len(buckets)] += uint64(buckets[i].Verdicts[v])
	}
	glyphs := []rune(" ▁▂▃▄▅▆▇█")
	if p.options.ASCII {
		glyphs = []rune(" .:-=+*#@")
	}
	highest := slices.Max(sums)
	var b strings.Builder
	for _, n := range sums {
		level := 0
		if n > 0 {
			level = 1 + int(n*uint64(len(glyphs)-2)/highest)
		}
		b.WriteRune(glyphs[level])
	}
	return strings.TrimRight(b.String(), " ")
}

func (p *page) causes(s *Summary) {
	total := s.Total.Total()
	rows := 0
	for _, c := range s.CauseList() {
		bad := s.Causes[c.Cause].Bad()
		if bad == 0 {
			continue
		}
		if rows++; rows == 1 {
			p.title("%-24s %11s %6s %12s", "cause, not graceful", "ends", "%", "bytes lost")
		}
		if rows > p.options.Rows+3 || p.tight && rows > p.options.Rows+1 {
			p.line("and more causes (--json lists all)")
			return
		}
		p.line("%-24s %11s %6s %12s", c.Cause, human.Count(bad), human.Percent(float64(bad), float64(total)), human.Bytes(c.BytesLost))
	}
}

func (p *page) groups(title string, list []Group, evicted bool) {
	if len(list) == 0 {
		return
	}
	if evicted {
		title += " (about)"
	}
	rows := [][]string{{"ends", "graceful", "abort", "us/peer/kern", "linger", "failed", "lost"}}
	for _, g := range list {
		rows = append(rows, []string{
			about(g), human.Count(g.Verdicts["graceful"]), human.Count(g.Verdicts["abortive"]), g.AbortedBy.words(),
			human.Count(g.Verdicts["linger-timeout"]), human.Count(g.Verdicts["failed-open"]), human.Bytes(g.BytesLost),
		})
	}
	if list[0].Role != model.RoleUnknown { // pairs have long names, and no other ends than these
		for i, row := range rows {
			rows[i] = []string{row[0], row[3], row[4], row[6]}
		}
	}
	width := min(p.options.Width-align(rows), 48)
	p.title("%s%s", fill(cut(title, width), width), strings.Join(rows[0], ""))
	for i, g := range list {
		p.line("%s%s", fill(g.fitted(width, p.options.ASCII), width), strings.Join(rows[i+1], ""))
	}
}

// align makes the cells of each column equally wide, a blank before each, and returns
// how wide a row is.
func align(rows [][]string) (total int) {
	for col := range rows[0] {
		width := 6
		for _, row := range rows {
			width = max(width, columns(row[col]))
		}
		for _, row := range rows {
			row[col] = strings.Repeat(" ", width+1-columns(row[col])) + row[col]
		}
		total += width + 1
	}
	return total
}

// fitted is the name in at most width columns. The process is cut before the address,
// an address in its middle, and a port never.
func (g *Group) fitted(width int, ascii bool) string {
	name := g.Name(ascii)
	if columns(safetext.Escape(name)) <= width {
		return strings.TrimSpace(safetext.Escape(name))
	}
	if g.Peer == "" {
		return clip(name, width)
	}
	short := *g
	short.Process, short.Peer = "", safetext.Escape(g.Peer) // the name of an interface is in it
	rest := columns(short.Name(ascii)) - columns(known(""))
	if room := width - rest; room >= minProcess {
		short.Process = cut(safetext.Escape(known(g.Process)), room)
		return short.Name(ascii)
	}
	if g.Role == model.RoleUnknown {
		return middle(name, width)
	}
	short.Process, short.Peer = cut(safetext.Escape(known(g.Process)), minProcess), ""
	short.Peer = middle(g.Peer, max(width-columns(short.Name(ascii)), 4))
	return short.Name(ascii)
}

// minProcess is how many columns a process keeps beside an address.
const minProcess = 8

// Name returns the process, the peer, or who talked to whom: "curl → 10.0.0.9:443"
// for connections that curl opened, "nginx:443 ← 10.0.0.9" for accepted ones.
func (g *Group) Name(ascii bool) string {
	to, from := " → ", " ← "
	if ascii {
		to, from = " > ", " < "
	}
	port := strconv.Itoa(int(g.Port))
	switch {
	case g.Role == model.Passive:
		return known(g.Process) + ":" + port + from + g.Peer
	case g.Role == model.Active:
		return known(g.Process) + to + net.JoinHostPort(g.Peer, port)
	case g.Peer != "":
		return g.Peer
	default:
		return known(g.Process)
	}
}

func about(g Group) string {
	if g.Over > 0 {
		return "<" + human.Count(g.Teardowns)
	}
	return human.Count(g.Teardowns)
}

func (p *page) quantiles(s *Summary) {
	rows := []struct {
		name string
		h    *Histogram
	}{{"duration", &s.Duration}, {"close() blocked", &s.Blocked}}
	headed := false
	for _, row := range rows {
		q := quantiles(row.h)
		if q == nil {
			continue
		}
		if !headed {
			headed = true
			p.title("%-16s %11s %9s %9s %9s %9s %9s", "time", "ends", "median", "90 %", "99 %", "99.9 %", "longest")
		}
		p.line("%-16s %11s %9s %9s %9s %9s %9s", row.name, human.Count(q.Count), human.Duration(q.P50), human.Duration(q.P90), human.Duration(q.P99), human.Duration(q.P999), human.Duration(q.Max))
	}
}

func (p *page) losses(s *Summary) {
	if s.Lossy > 0 {
		p.title("%s lost by %s: unread, or not acknowledged (may have arrived)", human.Bytes(s.Total.Lost), human.Count(s.Lossy)+plural(s.Lossy, " end", " ends"))
	}
	if n := s.Lost.Missing(); n > 0 {
		p.line("%s could not be recorded (%s): the counts above are too low", human.Many(n, "event"), strings.Join(s.missing(), ", "))
	}
	if less := s.Judged(); less.Total() > 0 {
		p.line("%s: no end is missing", human.Losses(&less))
	}
}

// missing lists where events were lost for which ends may be missing.
func (s *Summary) missing() (parts []string) {
	listed := uint64(0)
	for where, count := range s.Events {
		var l model.Losses
		if l.Add(&model.Loss{Count: count, Where: where}); l.Missing() > 0 {
			parts, listed = append(parts, human.Count(count)+" "+clip(where, 20)), listed+count
		}
	}
	slices.Sort(parts)
	if n := s.Lost.Missing(); n > listed {
		parts = append(parts, human.Count(n-listed)+" by the stop line")
	}
	return parts
}
