package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	faster, slower, seek, restart              key.Binding
	bad, redraw, suspend                       key.Binding
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
		copyFilter:  bind("Y", "copy Wireshark filter", "Y"),
		write:       bind("w", "write to a file", "w"),
		record:      bind("R", "record", "R"),
		mouse:       bind("m", "mouse on or off", "m"),
		stepBack:    bind("[", "step back", "["),
		step:        bind("]", "step", "]"),
		abortBack:   bind("{", "previous abortive", "{"),
		abort:       bind("}", "next abortive", "}"),
		faster:      bind("+", "replay twice as fast", "+", "="),
		slower:      bind("-", "replay half as fast", "-"),
		seek:        bind(":", "go to a time", ":"),
		restart:     bind("P", "play from the start", "P"),
		bad:         bind("a", "not graceful only", "a"),
		redraw:      bind("ctrl+l", "draw anew", "ctrl+l"),
		suspend:     bind("ctrl+z", "suspend", "ctrl+z"),
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

// footer returns the keys that matter most where the user is: those that leave and record
// first, because what does not fit at the right is left out.
func (s *screen) footer() []key.Binding {
	k := &s.keys
	if s.help {
		return []key.Binding{k.back, k.down, k.up, k.quit}
	}
	list := []key.Binding{k.help, k.quit, k.bad}
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
		list = slices.DeleteFunc(list, func(b key.Binding) bool { return b.Help() == k.bad.Help() })
		return append(list, k.down, k.copyJSON, k.copyFilter)
	case s.replay != nil:
		return append(list, k.enter, k.pause, k.seek, k.step, k.stepBack, k.abort, k.abortBack, k.text)
	default:
		return append(list, k.next, k.enter, k.text, k.expr, k.pause)
	}
}

// rebind gives actions other keys, by the names of the fields of keyMap. A key that two
// actions would share in the same place is an error.
func (k *keyMap) rebind(keys map[string][]string) error {
	known := actionNames()
	for name, pressed := range keys {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("keys: no action %q; they are %s", name, strings.Join(known, ", "))
		case len(pressed) == 0:
			return fmt.Errorf("keys: %s has no key", name)
		}
	}
	for _, binding := range k.named() {
		if pressed, is := keys[binding.name]; is {
			help := binding.key.Help()
			binding.key.SetKeys(pressed...)
			binding.key.SetHelp(pressed[0], help.Desc)
		}
	}
	return k.ambiguous()
}

// overlays are the actions that have their keys in one view or in the detail only, where
// they come before those of the screen, by that place.
var overlays = map[string]string{"nextOne": "detail", "previousOne": "detail", "end": "Open", "group": "groups"}

// ambiguous reports a key of two actions.
func (k *keyMap) ambiguous() error {
	type bound struct{ place, pressed string }
	owner := map[bound]string{}
	named := k.named()
	slices.SortStableFunc(named, func(a, b namedKey) int { return cmp.Compare(overlays[a.name], overlays[b.name]) }) // the screen's first
	for _, b := range named {
		for _, pressed := range b.key.Keys() {
			at := bound{overlays[b.name], pressed}
			other := cmp.Or(owner[bound{"", pressed}], owner[at])
			spacePauses := other == "pause" && b.name == "previousOne" && pressed == "p"
			if other != "" && !spacePauses {
				return fmt.Errorf("keys: %q is bound to %s and to %s", pressed, other, b.name)
			}
			owner[at] = b.name
		}
	}
	return nil
}

// namedKey is one field of a keyMap.
type namedKey struct {
	name string
	key  *key.Binding
}

// named returns the bindings with their names.
func (k *keyMap) named() []namedKey {
	return []namedKey{
		{"views", &k.views},
		{"next", &k.next},
		{"previous", &k.previous},
		{"up", &k.up},
		{"down", &k.down},
		{"halfUp", &k.halfUp},
		{"halfDown", &k.halfDown},
		{"first", &k.first},
		{"last", &k.last},
		{"enter", &k.enter},
		{"back", &k.back},
		{"nextOne", &k.nextOne},
		{"previousOne", &k.previousOne},
		{"text", &k.text},
		{"expr", &k.expr},
		{"pause", &k.pause},
		{"sort", &k.sort},
		{"reverse", &k.reverse},
		{"window", &k.window},
		{"group", &k.group},
		{"end", &k.end},
		{"copyJSON", &k.copyJSON},
		{"copyFilter", &k.copyFilter},
		{"write", &k.write},
		{"record", &k.record},
		{"mouse", &k.mouse},
		{"stepBack", &k.stepBack},
		{"step", &k.step},
		{"abortBack", &k.abortBack},
		{"abort", &k.abort},
		{"faster", &k.faster},
		{"slower", &k.slower},
		{"seek", &k.seek},
		{"restart", &k.restart},
		{"bad", &k.bad},
		{"redraw", &k.redraw},
		{"suspend", &k.suspend},
		{"help", &k.help},
		{"quit", &k.quit},
		{"kill", &k.kill},
	}
}

func actionNames() (names []string) {
	for _, b := range (&keyMap{}).named() {
		names = append(names, b.name)
	}
	return names
}
