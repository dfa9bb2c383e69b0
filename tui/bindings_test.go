package tui

import (
	"fmt"
	"reflect"
	"testing"

	"charm.land/bubbles/v2/key"
)

func TestEveryKey(t *testing.T) {
	bindings := reflect.TypeFor[keyMap]()
	for i := range bindings.NumField() {
		name := bindings.Field(i).Name
		t.Run(name, func(t *testing.T) {
			test := keyTests[name]
			if test == nil {
				t.Fatal("the binding has no test")
			}
			test(t, newRig(t, 120, 24, demoFeed(), func(c *Config) { c.JSON = toJSON }))
		})
	}
}

func TestKeysAreNotBoundTwice(t *testing.T) {
	keys := newKeyMap()
	seen := map[string]string{}
	helped := 0
	for _, named := range keys.named() {
		b := named.key
		helped++
		for _, k := range b.Keys() {
			if other := seen[k]; other != "" && k != "p" && k != "x" { // in the detail p goes back, in Open x ends a connection
				t.Errorf("%q is bound to %q and %q", k, other, b.Help().Desc)
			}
			seen[k] = b.Help().Desc
		}
	}
	if all := reflect.TypeFor[keyMap]().NumField(); helped != all {
		t.Errorf("%d bindings have a name, of %d", helped, all)
	}
	if !key.Matches(keyPress("space"), keys.pause) {
		t.Error("space does not match the pause")
	}
}

// showsEachTab returns a test of a key that goes by tabs to the right, from the Stream
// once around.
func showsEachTab(name string, by int) func(*testing.T, *rig) {
	return func(_ *testing.T, r *rig) {
		n := len(r.s.views)
		for i := range n {
			place := (1 + n + by*(i+1)) % n
			r.press(name)
			r.shows(fmt.Sprintf("[%d %s]", place+1, r.s.views[place].title()))
		}
	}
}
