package tui

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// OpenConn is one connection that is open now.
type OpenConn struct {
	// Facts are those that are known before the end; filters ask them. The ID identifies
	// one connection, never a later one with the same addresses.
	model.Facts
	Where   string // pod, container or unit
	NetNS   string // the name of its network namespace; "" where it has none
	State   model.State
	OnClose string // what close() would do now
	// Protected says why it can't be ended here; "" if it can.
	Protected string
}

// openList is the view of the connections that are open. It is read once a
// second, and only while it is shown.
type openList struct {
	all     []OpenConn
	chosen  []OpenConn // those that match
	match   func(*OpenConn) bool
	err     error
	asked   model.Time
	loading bool
	place   int
	height  int
}

type connsMsg struct {
	conns []OpenConn
	err   error
}

// title implements [view].
func (l *openList) title() string { return "Open" }

// keys implements [view].
func (l *openList) keys(s *screen) []action {
	end := act(s.keys.end, (*screen).askEnd)
	if s.cfg.End == nil {
		end.key.SetHelp(s.keys.end.Help().Key, "end one (needs --allow-kill)")
	}
	return []action{end}
}

// rows implements [view].
func (l *openList) rows(s *screen, _ *deck, height int) {
	l.height = height
	if s.cfg.OpenNote != "" && height > 2 {
		l.height-- // its line
	}
}

// enter implements [view]: an open connection has no story yet.
func (l *openList) enter(*screen) {}

// counted implements [counted].
func (l *openList) counted() (shown, all int, noun string) { return len(l.chosen), len(l.all), "open" }

// poll implements [loader]: it asks for the connections if it is time.
func (l *openList) poll(s *screen) tea.Cmd {
	open, now := s.cfg.Open, s.wall
	if open == nil || l.loading || l.asked != 0 && now.Sub(l.asked) < time.Second {
		return nil
	}
	l.asked, l.loading = now, true
	return func() tea.Msg {
		conns, err := open()
		return connsMsg{conns, err}
	}
}

func (l *openList) take(msg connsMsg) {
	l.loading = false
	l.err = msg.err
	if msg.err != nil {
		return
	}
	l.all = msg.conns
	slices.SortFunc(l.all, func(a, b OpenConn) int {
		return cmp.Or(
			cmp.Compare(b.TCP.Bytes.Lost(), a.TCP.Bytes.Lost()),
			a.Network.Local.AddrPort().Compare(b.Network.Local.AddrPort()),
			a.Network.Peer.AddrPort().Compare(b.Network.Peer.AddrPort()),
		)
	})
	l.filter(l.match)
}

// choose implements [chooser].
func (l *openList) choose(m *matcher) { l.filter(m.open()) }

// filter shows what matches; nil is all. The selection stays with its connection.
func (l *openList) filter(match func(*OpenConn) bool) {
	selected := ""
	if c := l.current(); c != nil {
		selected = c.ID
	}
	l.match, l.chosen = match, l.all
	if match != nil {
		l.chosen = slices.DeleteFunc(slices.Clone(l.all), func(c OpenConn) bool { return !match(&c) })
	}
	if i := slices.IndexFunc(l.chosen, func(c OpenConn) bool { return c.ID == selected }); i >= 0 {
		l.place = i
	}
	l.move(nil, 0)
}

// current returns the selected connection, or nil.
func (l *openList) current() *OpenConn {
	if l.place >= len(l.chosen) {
		return nil
	}
	return &l.chosen[l.place]
}

// move implements [view].
func (l *openList) move(_ *screen, n int) {
	l.place = min(max(l.place+n, 0), max(len(l.chosen)-1, 0))
}

// clicked implements [clicker].
func (l *openList) clicked(_ *screen, line int) {
	if i := l.top() + line; i < len(l.chosen) {
		l.place = i
	}
}

// top is the connection in the first row: the selected one is in the middle.
func (l *openList) top() int { return min(max(l.place-l.height/2, 0), max(len(l.chosen)-l.height, 0)) }

var openColumns = []column{
	{title: "STATE", min: 11, ideal: 12, rank: 0},
	{title: "PROCESS", min: 13, ideal: 24, rank: 1, late: true},
	{title: "LOCAL", min: 21, ideal: longEndpoint, rank: 6, late: true},
	{title: "PEER", min: 21, ideal: longEndpoint, rank: 2, late: true},
	{title: "WHERE", min: 12, ideal: 20, rank: 7},
	{title: "NETNS", min: 10, ideal: 16, rank: 3},
	{title: "AGE", min: 7, ideal: 7, rank: 9, numeric: true},
	{title: "LINGER", min: 6, ideal: 6, rank: 8, numeric: true},
	{title: "UNREAD", min: 8, ideal: 8, rank: 5, numeric: true},
	{title: "UNACKED", min: 8, ideal: 8, rank: 5, numeric: true},
	{title: "ON CLOSE", min: 22, ideal: 32, rank: 4},
}

// The places of the columns that may be empty.
const (
	openWhere = 4
	openNetNS = 5
	openAge   = 6
)

// draw implements [view].
func (l *openList) draw(s *screen, width int) []string {
	switch {
	case s.cfg.Open == nil:
		return []string{"", " The list of open connections is not available here."}
	case l.err != nil:
		return []string{"", " " + s.pal.loud.Styled(cut(safetext.Escape(l.err.Error()), width-1, s.g.dots))}
	case len(l.all) == 0 && s.cfg.OpenNote != "":
		return append([]string{"", " No connection is open here."}, noteLines(s, width)...)
	case len(l.all) == 0:
		return []string{"", " No connection is open."}
	case len(l.chosen) == 0:
		return []string{"", " No open connection matches the filter. Esc clears it.", " While it is open, it has no verdict and no cause."}
	}
	widths := l.fit(width-1, s.g)
	lines := []string{s.pal.strong.Styled(" " + headings(openColumns, widths, -1, false, s.g))}
	top := l.top()
	for i := top; i < min(top+l.height, len(l.chosen)); i++ {
		var cells []string
		for col := range openColumns {
			if widths[col] > 0 {
				cells = append(cells, openColumns[col].fitted(l.chosen[i].cell(col, widths[col], s.g), widths[col], s.g))
			}
		}
		text := strings.Join(cells, " ")
		lines = append(lines, s.row([2]string{text, text}, i == l.place, width))
	}
	switch {
	case s.cfg.OpenNote == "":
	case len(l.chosen) < l.height:
		lines = append(append(lines, ""), noteLines(s, width)...)
	default:
		lines = append(lines, " "+s.pal.faint.Styled(cut(s.cfg.OpenNote, width-2, s.g.dots)))
	}
	return lines
}

// noteLines says what is listed and what is not; below the end of the view it is cut.
func noteLines(s *screen, width int) (lines []string) {
	for part := range strings.SplitSeq(ansi.Wrap(s.cfg.OpenNote, width-2, ""), "\n") {
		lines = append(lines, " "+s.pal.faint.Styled(part))
	}
	return lines
}

// fit returns the widths of the columns. Where a connection runs and its age are
// left out if they are not known of any, the network namespace if there is only one.
func (l *openList) fit(width int, g *glyphs) []int {
	columns := slices.Clone(openColumns)
	for _, col := range []int{openWhere, openAge} {
		known := func(c OpenConn) bool { return c.cell(col, 1<<10, g) != "" }
		if !slices.ContainsFunc(l.chosen, known) {
			columns[col].min = width + 1
		}
	}
	one := func(c OpenConn) bool { return c.Network.NetNS == l.chosen[0].Network.NetNS }
	if !slices.ContainsFunc(l.chosen, func(c OpenConn) bool { return !one(c) }) {
		columns[openNetNS].min = width + 1
	}
	return fitColumns(columns, width)
}

func netnsNumber(n uint32) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

// cell returns the text of one cell.
func (c *OpenConn) cell(col, width int, g *glyphs) string {
	switch col {
	case 0:
		return c.State.String()
	case 1:
		return processWord(&c.Facts, width, g)
	case 2:
		return endpointWord(c.Network.Local, width, g)
	case 3:
		return endpointWord(c.Network.Peer, width, g)
	case openWhere:
		return cut(safetext.Escape(c.Where), width, g.dots)
	case openAge:
		return human.Known(c.Duration, human.Duration)
	case openNetNS:
		return cut(safetext.Escape(cmp.Or(c.NetNS, netnsNumber(c.Network.NetNS))), width, g.dots)
	case 7:
		return lingerWord(c.Linger)
	case 8:
		return human.Known(c.TCP.Bytes.Unread, human.Bytes)
	case 9:
		return human.Known(c.TCP.Bytes.Unacked, human.Bytes)
	default:
		return cut(c.OnClose, width, g.dots)
	}
}

func lingerWord(l model.Linger) string {
	switch on, known := l.On.Get(); {
	case !known:
		return ""
	case !on:
		return "off"
	case l.Seconds.Or(0) < 0:
		return "ever"
	}
	return human.Duration(time.Duration(l.Seconds.Or(0)) * time.Second)
}

// text returns the whole table with tabs.
func (l *openList) text(s *screen) string {
	var b strings.Builder
	for _, c := range openColumns {
		b.WriteString(c.title + "\t")
	}
	b.WriteByte('\n')
	for i := range l.chosen {
		b.WriteString(strings.Join(l.chosen[i].cells(s.g), "\t") + "\n")
	}
	return b.String()
}

// takeaway implements [view].
func (l *openList) takeaway(s *screen) takeaway {
	t := takeaway{what: "no connection is selected", text: func() string { return l.text(s) }}
	if c := l.current(); c != nil {
		t.row, t.what, t.filter = strings.Join(c.cells(s.g), "\t"), "the row", displayFilter(&c.Network)
	}
	return t
}

// cells returns a whole row as text.
func (c *OpenConn) cells(g *glyphs) (cells []string) {
	for col := range openColumns {
		cells = append(cells, c.cell(col, 1<<10, g))
	}
	return cells
}
