package process

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/tracer/process/processtest"
)

func shown(p place) processtest.Place {
	return processtest.Place{Container: p.container, PodUID: p.podUID, Unit: p.unit}
}

func TestPlaceOf(t *testing.T) {
	for _, l := range processtest.Layouts() {
		t.Run(l.Name, func(t *testing.T) {
			if got := shown(placeOf(l.Path)); got != l.Want {
				t.Errorf("placeOf(%q) = %+v, want %+v", l.Path, got, l.Want)
			}
		})
	}
}

// FuzzPlaceOf: everything returned is in the path, and an id is never cut.
func FuzzPlaceOf(f *testing.F) {
	for _, l := range processtest.Layouts() {
		f.Add(l.Path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p := placeOf(path)
		if !strings.Contains(path, p.container.ID) || !strings.Contains(path, p.unit) {
			t.Errorf("placeOf(%q) = %+v: not in the path", path, p)
		}
		if p.podUID != "" && !strings.Contains(strings.ReplaceAll(path, "_", "-"), p.podUID) {
			t.Errorf("placeOf(%q): pod %q is not in the path", path, p.podUID)
		}
		if p.container.ID != "" && p.unit != "" {
			t.Errorf("placeOf(%q) = %+v: both a container and a unit", path, p)
		}
	})
}
