package tui

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRebind: keys are the user's, by the names of the actions; an ambiguous or misspelt
// name is an error that says what to do.
func TestRebind(t *testing.T) {
	r := newRig(t, 120, 24, demoFeed(), nil)
	if err := r.s.keys.rebind(map[string][]string{"bad": {"b"}, "pause": {"space"}}); err != nil {
		t.Fatal(err)
	}
	r.press("b")
	r.shows("filter  not graceful", "b not graceful only")
	for name, test := range map[string]struct {
		keys map[string][]string
		want string
	}{
		"an action that is not known": {map[string][]string{"paws": {"x"}}, `no action "paws"; they are views, next`},
		"no key":                      {map[string][]string{"pause": {}}, "pause has no key"},
		"a key of another action":     {map[string][]string{"pause": {"q"}}, `"q" is bound to pause and to quit`},
		"of one in a view":            {map[string][]string{"end": {"q"}}, `"q" is bound to quit and to end`},
		"of one in the detail":        {map[string][]string{"bad": {"n"}}, `"n" is bound to bad and to nextOne`},
		"of two in the detail":        {map[string][]string{"nextOne": {"u"}, "previousOne": {"u"}}, `"u" is bound to nextOne and to previousOne`},
		"of one in two views":         {map[string][]string{"bad": {"x"}}, `"x" is bound to bad and to end`},
	} {
		keys := newKeyMap()
		if err := keys.rebind(test.keys); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestRebindInTwoPlaces: what is never there at the same time may share a key.
func TestRebindInTwoPlaces(t *testing.T) {
	for _, keys := range []map[string][]string{
		nil, {"end": {"u"}, "group": {"u"}, "nextOne": {"u"}}, {"pause": {"space"}, "previousOne": {"p"}}, {"pause": {"p"}},
	} {
		k := newKeyMap()
		if err := k.rebind(keys); err != nil {
			t.Errorf("%v: %v", keys, err)
		}
	}
}

// TestActionsAreNamed: each key can be bound to another, by the name of its field.
func TestActionsAreNamed(t *testing.T) {
	names := actionNames()
	fields := reflect.TypeFor[keyMap]()
	for i := range fields.NumField() {
		if name := fields.Field(i).Name; !slices.Contains(names, name) {
			t.Errorf("%s cannot be bound", name)
		}
	}
}

// TestTracedStays: the filter that records passed before they came here is shown, and esc
// does not remove it.
func TestTracedStays(t *testing.T) {
	r := newRig(t, 80, 24, demoFeed(), func(c *Config) { c.Traced = `process.name == "redis"` })
	for range 3 {
		r.shows(`traced  only process.name == "redis"`)
		r.press("esc")
	}
}

// TestQuickTextIsNoID: e a d finds unread data, and not an ID with these digits; a whole
// ID finds its end.
func TestQuickTextIsNoID(t *testing.T) {
	records := demoFeed()[:3]
	records[0].Teardown.ID = "beade-1"
	r := newRig(t, 120, 24, records, nil)
	r.press("/")
	r.typed("bead")
	r.shows("0 of 3")
	r.typed("e-1")
	r.shows("1 of 3")
}

// TestLastMinuteIsOfAllColumns: losses and causes are those of the last minute too.
func TestLastMinuteIsOfAllColumns(t *testing.T) {
	records := demoFeed()
	var least, most, all uint64 // the minute begins with a span of the curves
	for i := range records {
		d := &records[i].Teardown
		lost := d.TCP.Bytes.Lost()
		all += lost
		if age := at.Sub(d.Time); age <= time.Minute {
			most += lost
			if age <= time.Minute-groupSpan {
				least += lost
			}
		}
	}
	if least == 0 || most == all {
		t.Fatal("the feed does not show the difference")
	}
	r := newRig(t, 120, 40, records, nil)
	r.press("4", "t")
	got := uint64(0)
	for _, row := range r.s.groups[processTable].all {
		got += row.lost
	}
	if got < least || got > most {
		t.Errorf("%d bytes lost in the last minute, want %d to %d", got, least, most)
	}
	r.press("5") // remembered from view to view
	r.shows("last minute")
}
