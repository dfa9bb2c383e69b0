package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// connColumn is a column of the table of open connections.
type connColumn struct {
	title string
	wide  bool // only with --wide
	right bool
	// spare columns are left out if there is no room, the greatest first.
	spare int
	// field is what it shows, by the name that --sort has for it.
	field string
	cell  func(*sockets.Conn) string
}

var connColumns = []connColumn{
	{title: "ID", cell: func(c *sockets.Conn) string { return c.ID }},
	{title: "PROTO", wide: true, cell: func(c *sockets.Conn) string { return c.Transport }},
	{title: "STATE", field: "state", cell: stateCell},
	{title: "RECV-Q", field: "queue.receive", right: true, spare: 2, cell: func(c *sockets.Conn) string { return fmt.Sprint(c.Queue.Receive) }},
	{title: "SEND-Q", field: "queue.send", right: true, spare: 2, cell: func(c *sockets.Conn) string { return fmt.Sprint(c.Queue.Send) }},
	{title: "LOCAL", cell: func(c *sockets.Conn) string { return endpointCell(c.Network.Local) }},
	{title: "PEER", cell: func(c *sockets.Conn) string { return endpointCell(c.Network.Peer) }},
	{title: "PROCESS", field: "process.name", cell: processCell},
	{title: "USER", field: "process.user.name", wide: true, cell: userCell},
	{title: "WHERE", spare: 1, cell: whereCell},
	{title: "AGE", field: "duration_ns", wide: true, right: true, cell: func(c *sockets.Conn) string { return human.Known(c.Duration, human.Duration) }},
	{title: "IDLE", field: "tcp.idle_ns", wide: true, right: true, cell: func(c *sockets.Conn) string { return human.Known(c.TCP.Idle, human.Duration) }},
	{title: "RTT", field: "tcp.srtt_ns", right: true, spare: 5, cell: func(c *sockets.Conn) string { return human.Known(c.TCP.SRTT, human.Duration) }},
	{title: "RETR", field: "tcp.retransmits", right: true, spare: 4, cell: retransmitCell},
	{title: "TIMER", wide: true, cell: timerCell},
	{title: "LINGER", field: "linger.seconds", right: true, spare: 3, cell: lingerCell},
	{title: "DYING", field: doomLeft, spare: 6, cell: func(c *sockets.Conn) string { return c.Doom.At(time.Now()) }},
	{title: "ON CLOSE", cell: func(c *sockets.Conn) string { return c.OnClose.String() }},
	{title: "NETNS", field: "network.netns", wide: true, cell: func(c *sockets.Conn) string { return positive(uint64(c.Network.NetNS)) }},
}

// doomLeft is the time that a dying connection has left.
const doomLeft = "doom.left_ns"

const gap = "  " // between two columns

// connTable returns the lines of a table no wider than width, if that is not 0.
// Columns that are empty everywhere are left out, then those that there is no
// room for, but never the one that order sorts by.
func connTable(all []sockets.Conn, wide bool, width int, order *sockets.Order) []string {
	columns := filledColumns(all, wide, order)
	room := 0
	for _, c := range columns {
		room += c.width + len(gap)
	}
	for width > 0 && room-len(gap) > width {
		spare := slices.MaxFunc(columns, func(a, b filledColumn) int { return cmp.Compare(a.spare, b.spare) })
		if spare.spare == 0 {
			break
		}
		room -= spare.width + len(gap)
		columns = slices.DeleteFunc(columns, func(c filledColumn) bool { return c.title == spare.title })
	}
	lines := make([]strings.Builder, len(all)+1)
	for i := range lines {
		lines[i].Grow(room)
	}
	for at := range columns {
		columns[at].write(lines, at == len(columns)-1)
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

// filledColumn is a column with its texts, the title first.
type filledColumn struct {
	connColumn
	cells []string
	width int
}

func filledColumns(all []sockets.Conn, wide bool, order *sockets.Order) (columns []filledColumn) {
	for _, column := range columnsFor(order) {
		if column.wide && !wide {
			continue
		}
		c := filledColumn{column, make([]string, 0, len(all)+1), cellWidth(column.title)}
		c.cells = append(c.cells, column.title)
		empty := true
		for i := range all {
			cell := safetext.Escape(column.cell(&all[i]))
			empty = empty && cell == ""
			c.cells = append(c.cells, cell)
			c.width = max(c.width, cellWidth(cell))
		}
		if !empty || len(all) == 0 {
			columns = append(columns, c)
		}
	}
	return columns
}

// columnsFor returns the columns with the one that order sorts by. What has no column
// gets one.
func columnsFor(order *sockets.Order) []connColumn {
	field := order.Field()
	columns := slices.Clone(connColumns)
	if field == "" {
		return columns
	}
	if i := slices.IndexFunc(columns, func(c connColumn) bool { return c.field == field }); i >= 0 {
		columns[i].wide, columns[i].spare = false, 0
		return columns
	}
	return slices.Insert(columns, len(columns)-2, connColumn{title: safetext.Escape(field), right: true, cell: order.Value})
}

// write adds the column to each line.
func (c *filledColumn) write(lines []strings.Builder, last bool) {
	for row, cell := range c.cells {
		pad := strings.Repeat(" ", c.width-cellWidth(cell))
		switch {
		case c.right:
			_, _ = lines[row].WriteString(pad + cell)
		case last:
			_, _ = lines[row].WriteString(cell)
		default:
			_, _ = lines[row].WriteString(cell + pad)
		}
		if !last {
			_, _ = lines[row].WriteString(gap)
		}
	}
}

// cellWidth returns how many columns of a terminal a cell takes. Looking at each grapheme
// takes longer than the rest of the table.
func cellWidth(cell string) int {
	for i := range len(cell) {
		if cell[i] < ' ' || cell[i] > '~' {
			return ansi.StringWidth(cell)
		}
	}
	return len(cell)
}

func stateCell(c *sockets.Conn) string {
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
		return human.Endpoint(e)
	}
}

func processCell(c *sockets.Conn) string {
	if c.Process.PID == 0 {
		return ""
	}
	text := human.Process(c.Process.Name, c.Process.PID)
	if n := holdingProcesses(c); n > 1 {
		text += fmt.Sprintf(" +%d", n-1)
	}
	return text
}

func holdingProcesses(c *sockets.Conn) int {
	pids := map[int]bool{}
	for _, h := range c.Holders {
		pids[h.PID] = true
	}
	return len(pids)
}

func userCell(c *sockets.Conn) string {
	if c.Process.User.Name != "" {
		return c.Process.User.Name
	}
	if uid, known := c.Process.User.ID.Get(); known {
		return strconv.FormatUint(uint64(uid), 10)
	}
	return ""
}

// whereCell names pod, container, unit or Windows service.
func whereCell(c *sockets.Conn) string {
	short := func(id string) string { return id[:min(12, len(id))] }
	switch {
	case c.K8s.Pod.Name != "":
		return c.K8s.Namespace.Name + "/" + c.K8s.Pod.Name
	case c.Container.Name != "":
		return c.Container.Name
	case c.Container.ID != "":
		if c.Cgroup.Delegated {
			return short(c.Container.ID) + "~"
		}
		return short(c.Container.ID)
	case c.K8s.Pod.UID != "":
		return "pod " + short(c.K8s.Pod.UID)
	default:
		return cmp.Or(c.Systemd.Unit, c.Process.Service)
	}
}

func retransmitCell(c *sockets.Conn) string { return positive(uint64(c.TCP.Retransmits.Or(0))) }

func positive(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func timerCell(c *sockets.Conn) string {
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

func lingerCell(c *sockets.Conn) string {
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
