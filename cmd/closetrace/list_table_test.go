package main

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// TestTableFits: the columns that identify a connection, and what close() would do, are
// there on a narrow terminal too; no line is wider.
func TestTableFits(t *testing.T) {
	end := func(port uint16) model.Endpoint {
		return model.Endpoint{Address: netip.MustParseAddr("192.0.2.133"), Port: port}
	}
	c := sockets.Conn{
		ID: "f0000098-1a2b", Transport: "tcp", State: model.CloseWait,
		Network: model.Network{Local: end(34567), Peer: end(45678)},
		Process: model.Process{PID: 12345, Name: "w\u00fcrfel"},
		OnClose: sockets.Prediction{Effect: sockets.EffectReset, Cause: model.CauseUnreadData, Bytes: 512},
	}
	c.TCP.SRTT, c.TCP.Retransmits = model.Some(123*time.Microsecond), model.Some(uint32(3))
	c.Linger.On = model.Some(false)
	for _, width := range []int{0, 200, 120, 110, 80, 40} {
		lines := connTable([]sockets.Conn{c}, false, width, nil)
		for _, line := range lines {
			if w := ansi.StringWidth(line); width > 0 && w > width {
				t.Errorf("width %d: a line takes %d: %s", width, w, line)
			}
		}
		if width == 0 || width >= 110 {
			for _, want := range []string{"f0000098-1a2b", "would reset: 512 bytes unread", "w\u00fcrfel[12345]", "192.0.2.133:45678"} {
				if !strings.Contains(lines[1], want) {
					t.Errorf("width %d: no %q in %s", width, want, lines[1])
				}
			}
		}
		if got := strings.Contains(lines[0], "RTT"); got != (width == 0 || width == 200) {
			t.Errorf("width %d: RTT is there: %v\n%s", width, got, strings.Join(lines, "\n"))
		}
	}
}

// TestTableShowsWhatItSortsBy: the column of --sort is there, also where it needs
// --wide, or there is none of its own.
func TestTableShowsWhatItSortsBy(t *testing.T) {
	c := sockets.Conn{ID: "f0000098-1a2b", Transport: "tcp", State: model.CloseWait}
	c.TCP.Idle, c.Socket.Inode = model.Some(39400*time.Microsecond), 4711
	for expression, want := range map[string][2]string{
		"-tcp.idle_ns": {"IDLE", "39.4ms"},
		"socket.inode": {"socket.inode", "4711"},
	} {
		order, err := sockets.CompileOrder(expression)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{0, 80} {
			lines := connTable([]sockets.Conn{c}, false, width, order)
			if !strings.Contains(lines[0], want[0]) || !strings.Contains(lines[1], want[1]) {
				t.Errorf("%s at %d: got\n%s", expression, width, strings.Join(lines, "\n"))
			}
		}
	}
}

func TestTableNamesServices(t *testing.T) {
	c := sockets.Conn{Transport: "tcp"}
	c.Process.PID, c.Process.Name, c.Process.Service = 900, "svchost.exe", "BFE,LanmanServer\x1b[2J"
	text := strings.Join(connTable([]sockets.Conn{c}, false, 0, nil), "\n")
	if !strings.Contains(text, "svchost.exe[900]") || !strings.Contains(text, "BFE,LanmanServer") || strings.Contains(text, "\x1b") {
		t.Errorf("got %q, want process and services, made safe", text)
	}
}

// TestSortErrors: what is wrong with --sort is not called a filter, and is as wrong.
func TestSortErrors(t *testing.T) {
	_, err := newLister(&listFlags{sort: "queue.sned"})
	if err == nil || !strings.HasPrefix(err.Error(), "--sort: no field ") || exitCode(err) != exitUsage {
		t.Errorf("exit %d with %v", exitCode(err), err)
	}
	order, err := sockets.CompileOrder("1 % (queue.send - queue.send)")
	if err != nil {
		t.Fatal(err)
	}
	err = &sortError{order.Sort(make([]sockets.Conn, 2))}
	if want := "--sort: the expression failed on 2 connections, which come last"; !strings.HasPrefix(err.Error(), want) || !errors.Is(err, model.ErrFilterFailed) {
		t.Errorf("got %v, want %s", err, want)
	}
}
