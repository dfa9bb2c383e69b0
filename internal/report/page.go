package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/summary"
	"github.com/closetrace/closetrace/model"
)

// page is what the template shows. Strings of the traced system have been made
// visible; the template escapes them.
type page struct {
	Policy, Version, Title, Span string
	Chosen                       string
	Where, Warnings              []string
	PlotCSS, CSS                 template.CSS
	PlotJS, JS                   template.JS
	PlotLicence                  string
	Data                         chartData

	Findings     []finding
	MoreFindings int // beyond those
	Tiles        []tile
	Timeline     timeline
	Verdicts     []verdictRow
	Causes       []causeRow
	Later        []string
	Approximate  bool
	Processes    groups
	Peers        groups
	Aborted      groups
	Histograms   []histogram

	Worst      []end
	WorstWords string
	WorstHeads []head

	Meanings     []field
	Explanations []explanation
	Environment  []field
}

type tile struct{ Value, Label string }

type field struct{ Name, Value string }

type head struct {
	Name          string
	Number, Sorts bool
}

type verdictRow struct {
	Verdict, Ends, Share string
	Bar                  bar
}

type causeRow struct {
	Cause, Ends, Lost string
	Bar               bar
}

type groups struct {
	Title, Head string
	Rows        []groupRow
}

type groupRow struct {
	Name, Ends, Bad, Lost string
	Us, Peer, Kernel      string // abortive ends, by who did it
	Bar                   bar
}

// groupRows is how many processes, peers and pairs a page lists.
const groupRows = 12

func (r *Report) page(o *Options) *page {
	s := r.summary
	s.Chosen = o.Chosen
	e := s.Export(groupRows)
	p := &page{
		Version: safetext.Escape(o.Version), Title: safetext.Escape(o.Title),
		PlotCSS: template.CSS(asset("uplot/uPlot.min.css")), CSS: template.CSS(asset("page/page.css")), // #nosec G203 -- text of this program, not of a recording
		PlotJS: template.JS(asset("uplot/uPlot.iife.min.js")), JS: template.JS(asset("page/page.js")), // #nosec G203 -- text of this program, not of a recording
		PlotLicence: asset("uplot/LICENSE"),
		Data:        newChartData(&s.Timeline), Timeline: newTimeline(&s.Timeline),
		Approximate: e.Approximate,
		Meanings:    meanings(), Explanations: explanations(s),
	}
	for _, warning := range o.Warnings {
		p.Warnings = append(p.Warnings, safetext.Escape(warning))
	}
	p.Policy = policy([]string{string(p.PlotJS), string(p.JS)}, []string{string(p.PlotCSS), string(p.CSS)})
	p.head(s, e)
	p.counts(s, e)
	p.who(e)
	p.Histograms = []histogram{
		newHistogram("How long close() blocked", "linger-timeout", &s.Blocked, "No close() was seen to wait."),
		newHistogram("How long connections lived", "silent", &s.Duration, "No connection was seen from its begin."),
	}
	p.connections(r.worst.list())
	p.environment(s, e)
	p.findings(r.found)
	return p
}

func (p *page) head(s *summary.Summary, e *summary.Export) {
	host := safetext.Escape(e.Host.Name)
	if p.Title == "" {
		p.Title = "How connections ended"
		if host != "" {
			p.Title += " on " + host
		}
	}
	p.Title = safetext.Escape(p.Title)
	for i := range p.Warnings {
		p.Warnings[i] = safetext.Escape(p.Warnings[i])
	}
	if n := s.Lost.Missing(); n > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s could not be recorded: all counts on this page are too low.", human.Many(n, "event")))
	}
	if less := s.Judged(); less.Total() > 0 {
		p.Warnings = append(p.Warnings, human.Losses(&less)+": no end is missing.")
	}
	if s.First == 0 {
		p.Span = "Nothing was recorded"
		return
	}
	p.Chosen = safetext.Escape(s.Chosen)
	p.Span = fmt.Sprintf("%s – %s UTC (%s)", stamp(s.First), stamp(s.Last), human.Duration(s.Last.Sub(s.First)))
	for _, part := range []string{e.Host.Name, e.OS.Type + " " + e.OS.Version, e.Backend} {
		if part = strings.TrimSpace(part); part != "" {
			p.Where = append(p.Where, safetext.Escape(part))
		}
	}
}

// stamp is a time to the second.
func stamp(t model.Time) string { return t.Go().Format("2006-01-02 15:04:05") }

func (p *page) counts(s *summary.Summary, e *summary.Export) {
	p.Tiles = []tile{{human.Count(e.Teardowns), "connection ends"}}
	most := slices.Max(s.Total.Verdicts[:])
	for _, v := range model.Verdicts() {
		n := s.Total.Verdicts[v]
		if n == 0 && v != model.Graceful && v != model.Abortive {
			continue
		}
		share := percent(n, e.Teardowns)
		p.Tiles = append(p.Tiles, tile{human.Count(n), v.String() + share})
		if n > 0 {
			p.Verdicts = append(p.Verdicts, verdictRow{v.String(), human.Count(n), strings.TrimPrefix(share, ", "), oneBar(v, n, most)})
		}
	}
	p.Tiles = append(p.Tiles, tile{human.Bytes(e.BytesLost), fmt.Sprintf("bytes lost by %s", human.Many(e.EndsThatLost, "end"))})
	for _, c := range e.Causes {
		p.Causes = append(p.Causes, causeRow{c.Cause.String(), human.Count(c.Teardowns), human.Bytes(c.BytesLost), newBar(c.Verdicts, e.Causes[0].Teardowns)})
	}
	for name, n := range e.Later {
		p.Later = append(p.Later, fmt.Sprintf("%s ×%s", name, human.Count(n)))
	}
	slices.Sort(p.Later)
	if e.Amended > 0 {
		p.Later = append(p.Later, fmt.Sprintf("%s ends are counted as what happened later", human.Count(e.Amended)))
	}
	if e.Retracted > 0 {
		p.Later = append(p.Later, fmt.Sprintf("%s linger timeouts were taken back and are counted as what they became", human.Count(e.Retracted)))
	}
}

// percent returns ", 12.3 %", or nothing for none.
func percent(n, total uint64) string {
	if n == 0 {
		return ""
	}
	return ", " + human.Percent(float64(n), float64(total)) + " %"
}

func (p *page) who(e *summary.Export) {
	p.Processes = newGroups("Processes that owned the sockets", "Process", e.Processes)
	p.Peers = newGroups("Peers they talked to", "Peer", e.Peers)
	p.Aborted = newGroups("Who talked to whom in connections that were aborted or whose linger ran out", "Process → peer", e.Aborted)
}

func newGroups(title, column string, list []summary.Group) groups {
	g := groups{Title: title, Head: column}
	slices.SortStableFunc(list, func(a, b summary.Group) int { return cmp.Compare(b.Teardowns, a.Teardowns) })
	for i := range list {
		l := &list[i]
		row := groupRow{
			Name: safetext.Escape(l.Name(false)), Ends: human.Count(l.Teardowns),
			Bad: human.Count(sum(l.Verdicts) - l.Verdicts[model.Graceful.String()]),
			Us:  human.Count(l.AbortedBy.Us), Peer: human.Count(l.AbortedBy.Peer), Kernel: human.Count(l.AbortedBy.Kernel),
			Lost: human.Bytes(l.BytesLost), Bar: newBar(l.Verdicts, list[0].Teardowns),
		}
		if l.Over > 0 {
			row.Ends = "< " + row.Ends
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

func sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func (p *page) environment(s *summary.Summary, e *summary.Export) {
	add := func(name, value string) {
		if value != "" {
			p.Environment = append(p.Environment, field{name, safetext.Escape(value)})
		}
	}
	add("host", e.Host.Name)
	add("system", strings.TrimSpace(e.OS.Type+" "+e.OS.Version))
	add("recorded by", strings.TrimSpace("closetrace "+e.Tool.Version))
	add("back end", e.Backend)
	add("boot", s.Start.BootID)
	add("filter", e.Filter)
	if e.Filter != "" {
		add("note", "what did not match the filter was not recorded")
	}
	add("recordings", fmt.Sprintf("%d, %d of them with a stop line", e.Recordings, e.Stopped))
	add("inferred", human.Count(e.Inferred)+" ends whose verdict was concluded, not seen")
	if e.CloseFailed > 0 {
		add("close() failed", human.Count(e.CloseFailed)+" times; nothing was torn down")
	}
	add("lost events", human.Count(e.EventsLost))
	for _, where := range slices.Sorted(keys(e.EventsWhere)) {
		add("lost in "+safetext.Escape(where), human.Count(e.EventsWhere[where]))
	}
	for _, w := range p.Warnings {
		add("warning", w)
	}
}
