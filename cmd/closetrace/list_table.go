package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"github.com/closetrace/closetrace/internal/conns"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// connColumn is a column of the table of open connections.
type connColumn struct {
	title string
	wide  bool // only with --wide
	right bool
	cell  func(*conns.Conn) string
}

var connColumns = []connColumn{
	{title: "PROTO", wide: true, cell: func(c *conns.Conn) string { return c.Transport }},
	{title: "STATE", cell: stateCell},
	{title: "RECV-Q", right: true, cell: func(c *conns.Conn) string { return fmt.Sprint(c.Queue.Receive) }},
	{title: "SEND-Q", right: true, cell: func(c *conns.Conn) string { return fmt.Sprint(c.Queue.Send) }},
	{title: "LOCAL", cell: func(c *conns.Conn) string { return endpointCell(c.Network.Local) }},
	{title: "PEER", cell: func(c *conns.Conn) string { return endpointCell(c.Network.Peer) }},
	{title: "PROCESS", cell: processCell},
	{title: "USER", wide: true, cell: userCell},
	{title: "WHERE", cell: whereCell},
	{title: "AGE", wide: true, right: true, cell: func(c *conns.Conn) string { return shortDuration(c.Duration) }},
	{title: "IDLE", wide: true, right: true, cell: func(c *conns.Conn) string { return shortDuration(c.TCP.Idle) }},
	{title: "RTT", right: true, cell: func(c *conns.Conn) string { return shortDuration(c.TCP.SRTT) }},
	{title: "RETR", right: true, cell: retransmitCell},
	{title: "TIMER", wide: true, cell: timerCell},
	{title: "LINGER", right: true, cell: lingerCell},
	{title: "ON CLOSE", cell: func(c *conns.Conn) string { return c.OnClose.String() }},
	{title: "NETNS", wide: true, cell: func(c *conns.Conn) string { return positive(uint64(c.Network.NetNS)) }},
	{title: "ID", cell: func(c *conns.Conn) string { return c.ID }},
}

const gap = "  " // between two columns

// connTable returns the lines of a table no wider than width, if that is not 0.
// Columns that are empty everywhere are left out.
func connTable(all []conns.Conn, wide bool, width int) []string {
	var columns [][]string
	var chosen []connColumn
	for _, column := range connColumns {
		if column.wide && !wide {
			continue
		}
		cells := []string{column.title}
		empty := true
		for i := range all {
			cell := safetext.Escape(column.cell(&all[i]))
			empty = empty && cell == ""
			cells = append(cells, cell)
		}
		if !empty || len(all) == 0 {
			columns, chosen = append(columns, cells), append(chosen, column)
		}
	}
	widths, room := make([]int, len(columns)), 0
	for at, cells := range columns {
		for _, cell := range cells {
			widths[at] = max(widths[at], cellWidth(cell))
		}
		room += widths[at] + len(gap)
	}
	lines := make([]strings.Builder, len(all)+1)
	for i := range lines {
		lines[i].Grow(room)
	}
	for at, cells := range columns {
		for row, cell := range cells {
			pad := strings.Repeat(" ", widths[at]-cellWidth(cell))
			switch {
			case chosen[at].right:
				lines[row].WriteString(pad + cell)
			case at == len(columns)-1:
				lines[row].WriteString(cell)
			default:
				lines[row].WriteString(cell + pad)
			}
			if at < len(columns)-1 {
				lines[row].WriteString(gap)
			}
		}
	}
	text := make([]string, len(lines))
	for i := range lines {
		text[i] = strings.TrimRight(lines[i].String(), " ")
		if width > 0 {
			text[i] = ansi.Truncate(text[i], width, "")
		}
	}
	return text
}

// cellWidth returns how many columns of a terminal a cell takes. To look at each
// grapheme takes longer than all the rest of the table.
func cellWidth(cell string) int {
	for i := range len(cell) {
		if cell[i] < ' ' || cell[i] > '~' {
			return ansi.StringWidth(cell)
		}
	}
	return len(cell)
}

func stateCell(c *conns.Conn) string {
	switch {
	case c.Transport == "udp" && c.State == model.Closed:
		return "UNCONN" // as ss says; UDP has no states
	case c.Transport == "udp":
		return "CONN"
	case c.Orphan:
		return c.State.String() + " orphan"
	case c.Unaccepted:
		return c.State.String() + " queued"
	default:
		return c.State.String()
	}
}

func endpointCell(e model.Endpoint) string {
	switch {
	case !e.Address.IsValid(), e.Address.IsUnspecified() && e.Port == 0:
		return "*"
	case e.Address.IsUnspecified():
		return "*:" + strconv.Itoa(int(e.Port))
	default:
		return e.AddrPort().String()
	}
}

func processCell(c *conns.Conn) string {
	if c.Process.PID == 0 {
		return ""
	}
	text := fmt.Sprintf("%s/%d", c.Process.Name, c.Process.PID)
	if n := holdingProcesses(c); n > 1 {
		text += fmt.Sprintf(" +%d", n-1)
	}
	return text
}

func holdingProcesses(c *conns.Conn) int {
	pids := map[int]bool{}
	for _, h := range c.Holders {
		pids[h.PID] = true
	}
	return len(pids)
}

func userCell(c *conns.Conn) string {
	if c.Process.User.Name != "" {
		return c.Process.User.Name
	}
	if uid, known := c.Process.User.ID.Get(); known {
		return strconv.FormatUint(uint64(uid), 10)
	}
	return ""
}

// whereCell names pod, container or unit.
func whereCell(c *conns.Conn) string {
	short := func(id string) string { return id[:min(12, len(id))] }
	switch {
	case c.K8s.Pod.Name != "":
		return c.K8s.Namespace.Name + "/" + c.K8s.Pod.Name
	case c.Container.Name != "":
		return c.Container.Name
	case c.Container.ID != "":
		return short(c.Container.ID)
	case c.K8s.Pod.UID != "":
		return "pod " + short(c.K8s.Pod.UID)
	default:
		return c.Systemd.Unit
	}
}

func shortDuration(d model.Opt[time.Duration]) string {
	v, known := d.Get()
	switch {
	case !known:
		return ""
	case v < time.Millisecond:
		return v.Round(time.Microsecond).String()
	case v < time.Second:
		return v.Round(100 * time.Microsecond).String()
	default:
		return v.Round(time.Second).String()
	}
}

func retransmitCell(c *conns.Conn) string { return positive(uint64(c.TCP.Retransmits.Or(0))) }

func positive(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func timerCell(c *conns.Conn) string {
	t := c.TCP.Timer
	if t.Name == "" {
		return ""
	}
	text := t.Name + " " + t.Expires.Round(100*time.Millisecond).String()
	if t.Unanswered > 0 {
		text += fmt.Sprintf(" %d unanswered", t.Unanswered)
	}
	return text
}

func lingerCell(c *conns.Conn) string {
	on, known := c.Linger.On.Get()
	switch {
	case !known:
		return ""
	case !on:
		return "off"
	case c.Linger.Seconds.Or(0) < 0:
		return "for ever"
	default:
		return fmt.Sprintf("%d s", c.Linger.Seconds.Or(0))
	}
}

// terminalSize returns the size of the terminal, or zeros for a pipe.
func (a *app) terminalSize() (width, height int) {
	file, ok := a.stdout.(*os.File)
	if !ok || !isTerminal(file) {
		return 0, 0
	}
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0, 0
	}
	return width, height
}
