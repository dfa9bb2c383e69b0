package tui

import "charm.land/bubbles/v2/key"

// keyMap is every key of the screen. The footer and the help are made from it.
type keyMap struct {
	next, previous                             key.Binding
	stream, causes, processes, peers, open     key.Binding
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
	return keyMap{
		next:        bind("tab", "next view", "tab"),
		previous:    bind("shift+tab", "previous view", "shift+tab"),
		stream:      bind("1", "Stream", "1"),
		causes:      bind("2", "Causes", "2"),
		processes:   bind("3", "Processes", "3"),
		peers:       bind("4", "Peers", "4"),
		open:        bind("5", "Open", "5"),
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
}

// groups returns all keys in the order of the help.
func (k *keyMap) groups() []keyGroup {
	return []keyGroup{
		{"Views", []key.Binding{k.stream, k.causes, k.processes, k.peers, k.open, k.next, k.previous}},
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

// footer returns the keys that matter most where the user is.
func (s *screen) footer() []key.Binding {
	k := &s.keys
	switch {
	case s.help:
		return []key.Binding{k.back, k.down, k.up, k.quit}
	case s.detail != nil:
		return []key.Binding{k.back, k.nextOne, k.previousOne, k.down, k.copyJSON, k.copyFilter, k.help, k.quit}
	case s.replay != nil:
		return []key.Binding{k.help, k.enter, k.pause, k.step, k.stepBack, k.abort, k.abortBack, k.text, k.quit}
	case s.view == streamView:
		return []key.Binding{k.help, k.next, k.enter, k.text, k.expr, k.pause, k.sort, k.record, k.quit}
	case s.view == openView:
		if s.cfg.End != nil {
			return []key.Binding{k.help, k.next, k.end, k.down, k.up, k.quit}
		}
		return []key.Binding{k.help, k.next, k.down, k.up, k.quit}
	default:
		return []key.Binding{k.help, k.next, k.enter, k.sort, k.window, k.group, k.text, k.pause, k.quit}
	}
}
