package tui

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

func openEndpoint(text string) model.Endpoint {
	a := netip.MustParseAddrPort(text)
	return model.Endpoint{Address: a.Addr(), Port: a.Port()}
}

// someOpen are connections as internal/sockets returns them.
func someOpen() []OpenConn {
	return []OpenConn{
		{
			State: model.Established, OnClose: "reset: 512 bytes unread", Where: "shop/cart-0",
			Facts: model.Facts{
				ID:      "f0-1",
				Network: model.Network{Local: openEndpoint("10.0.0.5:443"), Peer: openEndpoint("10.0.0.9:51034")},
				Process: model.Process{PID: 812, Name: "nginx"}, Linger: model.Linger{On: model.Some(false)},
				TCP: model.TCP{Bytes: model.Bytes{Unread: model.Some(uint64(512)), Unacked: model.Some(uint64(0))}},
			},
		},
		{
			State: model.CloseWait, OnClose: "block up to 5 s",
			Facts: model.Facts{
				ID:      "f0-2",
				Network: model.Network{Local: openEndpoint("[2001:db8::5]:8080"), Peer: openEndpoint("[2001:db8::9]:40000")},
				Process: model.Process{PID: 900, Name: "\x1b]0;evil"}, Linger: model.Linger{On: model.Some(true), Seconds: model.Some(5)},
			},
		},
	}
}

// openRig shows them, and notes what is ended.
func openRig(t *testing.T, all *[]OpenConn, ended *[]string) *rig {
	r := newRig(t, 140, 30, demoFeed(), func(c *Config) {
		c.Open = func() ([]OpenConn, error) { return *all, nil }
		c.End = func(c OpenConn) (string, error) {
			if c.ID == "f0-2" {
				return "", errors.New("end it: the connection has ended already")
			}
			*ended = append(*ended, c.ID)
			return "ended " + c.ID, nil
		}
	})
	r.press("6")
	r.send(connsMsg{conns: slices.Clone(*all)})
	return r
}

func TestEndOpenConnection(t *testing.T) {
	all, ended := someOpen(), []string{}
	r := openRig(t, &all, &ended)
	r.shows("reset: 512 bytes unread", "shop/cart-0", "x end a connection")
	r.press("x")
	r.shows("End 10.0.0.5:443", "10.0.0.9:51034, ESTABLISHED of nginx[812]? (y/N)")
	for _, no := range []string{"enter", "n", "esc"} {
		if cmd := r.press(no); cmd != nil {
			t.Errorf("the answer %s does something", no)
		}
		r.shows("nothing was ended")
		r.press("x")
	}
	// While the question stands the list changes; the answer means what was asked.
	all = all[1:]
	r.send(connsMsg{conns: slices.Clone(all)})
	r.run(r.press("y"))
	r.shows("ended f0-1")
	r.press("x")
	r.shows(`\x1b]0;evil[900]?`)
	r.run(r.press("y"))
	r.shows("the connection has ended already")
	if len(ended) != 1 || ended[0] != "f0-1" {
		t.Errorf("ended %v, want f0-1 alone", ended)
	}
}

func TestEndNotAllowed(t *testing.T) {
	all := someOpen()
	r := newRig(t, 140, 30, demoFeed(), func(c *Config) {
		c.Open = func() ([]OpenConn, error) { return all, nil }
	})
	r.press("6")
	r.send(connsMsg{conns: slices.Clone(all)})
	r.hides("x end a connection")
	r.press("x")
	r.shows("--allow-kill")
	r.hides("(y/N)")
}

func TestEndProtected(t *testing.T) {
	all, ended := someOpen(), []string{}
	all[0].Protected = "elsewhere: closetrace kill f0-1 does"
	r := openRig(t, &all, &ended)
	r.press("x")
	r.shows("elsewhere: closetrace kill f0-1 does")
	r.hides("(y/N)")
	r.press("y")
	if r.s.prompt != nil || len(ended) > 0 {
		t.Errorf("it was asked about, or ended: %v", ended)
	}
}

// TestOpenNote: what is listed beyond what is traced is said, however many there are.
func TestOpenNote(t *testing.T) {
	for _, n := range []int{1, 100} {
		var all []OpenConn
		for range n {
			all = append(all, someOpen()[0])
		}
		r := newRig(t, 140, 24, demoFeed(), func(c *Config) {
			c.Open = func() ([]OpenConn, error) { return all, nil }
			c.OpenNote = "More than what is traced."
		})
		r.press("6")
		r.send(connsMsg{conns: all})
		r.shows("More than what is traced.")
		r.press("end")
		r.shows("▸ESTABLISHED", "More than what is traced.")
	}
}

// TestOpenFilter: text, expression and the row of a grouped view choose what is
// open as they choose ends.
func TestOpenFilter(t *testing.T) {
	all := someOpen()
	r := openRig(t, &all, new([]string))
	const none = "No open connection matches"
	for _, test := range []struct{ key, typed, header, shown, hidden string }{
		{"/", "close_wait", "1 of 2 open", "[900]", "nginx[812]"},
		{"/", "unread !shop", "0 of 2 open", none, "nginx[812]"},
		{"/", "cart-0", "1 of 2 open", "nginx[812]", "[900]"},
		{"f", "tcp.bytes.unread > 500", "1 of 2 open", "nginx[812]", "[900]"},
		{"f", `linger.on && network.local.port == 8080`, "1 of 2 open", "[900]", "nginx[812]"},
		{"f", `verdict == "abortive"`, "0 of 2 open", none, "nginx[812]"},
	} {
		r.press(test.key)
		r.typed(test.typed)
		r.press("enter")
		r.shows(test.header, test.shown)
		r.hides(test.hidden)
		r.send(connsMsg{conns: slices.Clone(all)}) // and the next list too
		r.shows(test.header)
		r.press("esc")
		r.shows("nginx[812]", "[900]")
		r.hides("of 2 open")
	}
	r.press("5", "/")
	r.typed("10.0.0.9")
	r.press("enter", "6")
	r.shows("1 of 2 open", "nginx[812]")
	r.press("esc", "j", "/") // the selection stays with its connection
	r.typed("8080")
	r.press("enter", "x")
	r.shows("End [2001:db8::5]:8080")
}

// TestEndingQuestionIsSafe: the name of an interface is part of an address.
func TestEndingQuestionIsSafe(t *testing.T) {
	c := someOpen()[1]
	c.Network.Local.Address = netip.MustParseAddr("fe80::1%\x1b]0;evil\a")
	if got := c.question(&unicodeGlyphs); strings.ContainsAny(got, "\x1b\a") {
		t.Errorf("%q", got)
	}
}
