//go:build linux

package tracer

import (
	"math"
	"testing"
	"time"

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

// TestReturnOfClose: which close() a return belongs to, if another connection has had the
// socket's address.
func TestReturnOfClose(t *testing.T) {
	const began = 5_000_000_000
	for name, c := range map[string]struct {
		entered, took time.Duration // of tcp_close(), after CloseBegan
		want          bool
	}{
		"at once":                               {0, time.Second, true},
		"the thread waited before tcp_close":    {220 * time.Millisecond, time.Second, true},
		"of the connection before":              {-2 * time.Second, 1900 * time.Millisecond, false},
		"of the connection before, told later":  {-time.Second, 1050 * time.Millisecond, false},
		"microseconds are cut: never too early": {0, 999_999 * time.Nanosecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := &bpf.TraceLater{
				Sock: 1, Time: uint64(began + int64(c.entered+c.took)), ReturnedUs: uint32(c.took / time.Microsecond),
			}
			if got := isReturnOf(l, began); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
