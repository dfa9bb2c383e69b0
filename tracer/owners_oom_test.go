//go:build linux

package tracer

import (
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestOOMOfAnotherProcess: the owner's group says nothing of a child in another one.
func TestOOMOfAnotherProcess(t *testing.T) {
	for _, c := range []struct {
		closer    int
		hit, want model.Opt[bool]
	}{
		{7, model.Some(false), model.Some(false)},
		{7, model.Some(true), model.Some(true)},
		{8, model.Some(false), model.Opt[bool]{}},
		{8, model.Some(true), model.Some(true)},
		{8, model.Opt[bool]{}, model.Opt[bool]{}},
	} {
		f := model.Facts{Process: model.Process{PID: 7}, Closer: model.Closer{PID: c.closer}}
		if got := oomOf(&f, c.hit); got != c.want {
			t.Errorf("closer %d, %v: got %v, want %v", c.closer, c.hit, got, c.want)
		}
	}
}
