package tui

import (
	"strconv"

	"charm.land/bubbles/v2/key"
)

// maxViews is how many views have a key of their own: 1 to 9.
const maxViews = 9

// keyMap is every key of the screen. The footer and the help are made from it. The
// names of its fields are those of a file of keys.
type keyMap struct {
	views                                      key.Binding // as many as there are
	next, previous                             key.Binding
	up, down, halfUp, halfDown, first, last    key.Binding
	enter, back, nextOne, previousOne          key.Binding
	text, expr, pause, sort, reverse           key.Binding
	window, group, end                         key.Binding
	copyJSON, copyFilter, write, record, mouse key.Binding
	stepBack, step, abortBack, abort           key.Binding
	faster, slower                             key.Binding
	help, quit, kill                           key.Binding
}

func bind(help, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, does))
}

func newKeyMap() keyMap {
	k := keyMap{
		next:        bind("tab", "next view", "tab"),
		previous:    bind("shift+tab", "previous view", "shift+tab"),
		up:          bind("k", "up", "k", "up"),
		down:        bind("j", "down", "j", "down"),
		halfUp:      bind("ctrl+u", "half page up", "ctrl+u", "pgup"),
		halfDown:    bind("ctrl+d", "half page down", "ctrl+d", "pgdown"),
		first:       bind("g", "first", "g", "home"),
		last:        bind("G", "last", "G", "end"),
		enter:       bind("enter", "open", "enter"),
		back:        bind("esc", "back", "esc"),
		nextOne:     bind("n", "next one", "n"),
		previousOne: bind("p", "previous one", "p"),
		text:        bind("/", "quick text", "/"),
		expr:        bind("f", "filter", "f"),
		pause:       bind("space", "pause", "space", "p"),
		sort:        bind("s", "sort", "s"),
		reverse:     bind("S", "reverse", "S"),
		window:      bind("t", "last minute", "t"),
		group:       bind("x", "regroup", "x"),
		end:         bind("x", "end a connection (in Open)", "x"),
		copyJSON:    bind("y", "copy JSON", "y"),
		copyFilter:  bind("Y", "copy tcpdump filter", "Y"),
		write:       bind("w", "write to a file", "w"),
		record:      bind("R", "record", "R"),
		mouse:       bind("m", "mouse on or off", "m"),
		stepBack:    bind("[", "step back", "["),
		step:        bind("]", "step", "]"),
		abortBack:   bind("{", "previous abortive", "{"),
		abort:       bind("}", "next abortive", "}"),
		faster:      bind("+", "replay twice as fast", "+", "="),
		slower:      bind("-", "replay half as fast", "-"),
		help:        bind("?", "help", "?"),
		quit:        bind("q", "quit", "q"),
		kill:        bind("ctrl+c", "quit at once", "ctrl+c"),
	}
	var digits []string
	for i := range maxViews {
		digits = append(digits, strconv.Itoa(i+1))
	}
	k.views = bind("1-9", "the views, by number", digits...)
	return k
}

// groups returns all keys in the order of the help.
func (k *keyMap) groups() []keyGroup {
	return []keyGroup{
		{"Views", []key.Binding{k.views, k.next, k.previous}},
		{"Move", []key.Binding{k.down, k.up, k.halfDown, k.halfUp, k.first, k.last, k.enter, k.back, k.nextOne, k.previousOne}},
		{"Choose", []key.Binding{k.text, k.expr, k.pause, k.sort, k.reverse, k.window, k.group, k.end}},
		{"Step", []key.Binding{k.step, k.stepBack, k.abort, k.abortBack, k.faster, k.slower}},
		{"Take away", []key.Binding{k.copyJSON, k.copyFilter, k.write, k.record}},
		{"Program", []key.Binding{k.help, k.mouse, k.quit, k.kill}},
	}
}

// keyGroup is a paragraph of the help.
type keyGroup struct {
	title string
	keys  []key.Binding
}

// footer returns the keys that matter most where the user is: those that leave and
// record first, for what has no room at the right is left out.
func (s *screen) footer() []key.Binding {
	k := &s.keys
	if s.help {
		return []key.Binding{k.back, k.down, k.up, k.quit}
	}
	list := []key.Binding{k.help, k.quit}
	if s.replay == nil && s.cfg.Record != nil {
		list = append(list, k.record)
	}
	for _, a := range s.focus().keys(s) {
		if a.key.Help() != k.reverse.Help() {
			list = append(list, a.key)
		}
	}
	switch {
	case s.detail != nil:
		return append(list, k.down, k.copyJSON, k.copyFilter)
	case s.replay != nil:
		return append(list, k.enter, k.pause, k.step, k.stepBack, k.abort, k.abortBack, k.text)
	default:
		return append(list, k.next, k.enter, k.text, k.expr, k.pause)
	}
}
