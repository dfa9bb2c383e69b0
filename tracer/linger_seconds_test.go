//go:build linux

package tracer

import (
	"math"
	"testing"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestLingerSeconds: sk_lingertime is l_linger * HZ (sk_setsockopt), which the
// kernel's side of the tracer saturates at 32 bits.
func TestLingerSeconds(t *testing.T) {
	for name, c := range map[string]struct {
		jiffies, hertz uint32
		want           model.Opt[int]
	}{
		"zero":                       {0, 250, model.Some(0)},
		"zero, HZ not known":         {0, 0, model.Some(0)},
		"five seconds":               {1250, 250, model.Some(5)},
		"five seconds, HZ not known": {1250, 0, model.Opt[int]{}},
		"just below saturation":      {math.MaxUint32 - 45, 250, model.Some(17179869)},
		"for ever":                   {math.MaxUint32, 250, model.Some(-1)},
		"for ever, HZ not known":     {math.MaxUint32, 0, model.Some(-1)},
	} {
		t.Run(name, func(t *testing.T) {
			tr := translator{hertz: c.hertz}
			if got := tr.linger(&bpf.TraceEnd{Linger: 1, Lingertime: c.jiffies}).Seconds; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
