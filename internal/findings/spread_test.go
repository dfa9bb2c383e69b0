package findings

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func TestSpread(t *testing.T) {
	var s spread
	if s.mean() != 0 {
		t.Errorf("the mean of nothing is %v", s.mean())
	}
	for _, d := range []time.Duration{3 * time.Second, time.Second, 5 * time.Second} {
		s.add(d)
	}
	if s.min != time.Second || s.max != 5*time.Second || s.mean() != 3*time.Second || s.n != 3 {
		t.Errorf("got %+v with mean %v", s, s.mean())
	}
}

// TestClusters: three within the width are a moment, and what comes to it later counts too.
func TestClusters(t *testing.T) {
	const at, width = model.Time(1e18), time.Second
	for what, c := range map[string]struct {
		after    []time.Duration
		many, in uint64
	}{
		"two":                    {[]time.Duration{0, 1}, 0, 0},
		"three":                  {[]time.Duration{0, 1, 2}, 1, 3},
		"five":                   {[]time.Duration{0, 1, 2, 3, 4}, 1, 5},
		"in another order":       {[]time.Duration{2, 1, 0}, 1, 3},
		"just within":            {[]time.Duration{0, 1, width - 1}, 1, 3},
		"just not":               {[]time.Duration{0, 1, width}, 0, 0},
		"two moments":            {[]time.Duration{0, 1, 2, 2 * width, 2*width + 1, 2*width + 2, 2*width + 3}, 2, 7},
		"long before the others": {[]time.Duration{2 * width, 0, 1, 2}, 1, 3},
	} {
		var got clusters
		for _, d := range c.after {
			got.add(at.Add(d), width)
		}
		if got.many != c.many || got.in != c.in {
			t.Errorf("%s: %d moments with %d, want %d with %d", what, got.many, got.in, c.many, c.in)
		}
	}
}

// TestRhythm: four of five intervals that differ by a quarter at most are regular, if there
// are two at least and they are no shorter than half a second.
func TestRhythm(t *testing.T) {
	const s = time.Second
	for what, c := range map[string]struct {
		every []time.Duration
		want  bool
	}{
		"none":                    {nil, false},
		"one":                     {[]time.Duration{s}, false},
		"two":                     {[]time.Duration{s, s}, true},
		"a quarter apart":         {[]time.Duration{s, s + s/4}, true},
		"more than a quarter":     {[]time.Duration{s, s + s/4 + 1}, false},
		"four of five":            {[]time.Duration{s, s, s, s, 9 * s}, true},
		"three of four":           {[]time.Duration{s, s, s, 9 * s}, false},
		"another at first":        {[]time.Duration{9 * s, s, s, s, s, s, s, s, s, s, s, s}, true},
		"half a second":           {[]time.Duration{s / 2, s / 2}, true},
		"less than half a second": {[]time.Duration{s/2 - 1, s/2 - 1}, false},
	} {
		var r rhythm
		for _, d := range c.every {
			r.add(d)
		}
		if got := r.steady(uint64(len(c.every))); got != c.want {
			t.Errorf("%s: got %v of %+v", what, got, r)
		}
	}
}

// TestMode: of two that are equally frequent the shorter one is taken, whatever the order.
func TestMode(t *testing.T) {
	for _, list := range [][]time.Duration{
		{time.Second, time.Second, time.Minute, time.Minute},
		{time.Minute, time.Second, time.Minute, time.Second},
		{time.Hour, time.Second, time.Second, time.Minute},
	} {
		for range 20 {
			var v values
			for _, d := range list {
				v.add(d)
			}
			from, to := v.bounds()
			if around, n := v.mode(); around != time.Second || n != 2 || from > around || to < around || to-from > around/20 {
				t.Errorf("of %v: %d around %v, from %v to %v", list, n, around, from, to)
			}
		}
	}
	var v values
	for i := range 2 * maxBins {
		d := time.Microsecond
		for range i {
			d += d/50 + 1
		}
		v.add(d)
	}
	if len(v.bins) != maxBins {
		t.Errorf("%d bins, want %d", len(v.bins), maxBins)
	}
	for range 5 {
		v.add(time.Microsecond)
	}
	if around, n := v.mode(); around > 2*time.Microsecond || n < 6 {
		t.Errorf("what has a bin is not counted once there is no room for more: %d around %v", n, around)
	}
}

// TestBursts: a server that closes connections that have been idle for different times, or
// less than any timeout, does so for another reason than time.
func TestBursts(t *testing.T) {
	const at = model.Time(1e18) + model.Time(slice)/2
	closed := func(process string, pid int, after, idle time.Duration) *end {
		return &end{
			process: process, pid: pid, role: model.Passive, initiator: model.InitiatorLocal, call: model.CallClose,
			idle: idle, sent: 1, closeTime: at.Add(after), time: at.Add(time.Hour),
		}
	}
	const s, ms = time.Second, time.Millisecond
	for what, c := range map[string]struct {
		ends []*end
		want bool
	}{
		"idle for different times":          {[]*end{closed("x", 7, 0, s), closed("x", 7, 1, 2*s), closed("x", 7, 2, 3*s)}, true},
		"in neighbour slices":               {[]*end{closed("x", 7, 0, s), closed("x", 7, slice, 2*s), closed("x", 7, -slice, 3*s)}, true},
		"too far apart":                     {[]*end{closed("x", 7, 0, s), closed("x", 7, 2*slice, 2*s), closed("x", 7, 4*slice, 3*s)}, false},
		"two":                               {[]*end{closed("x", 7, 0, s), closed("x", 7, 1, 3*s)}, false},
		"of two processes":                  {[]*end{closed("x", 7, 0, s), closed("x", 8, 1, 2*s), closed("x", 7, 2, 3*s)}, false},
		"idle for one time":                 {[]*end{closed("x", 7, 0, 5*s), closed("x", 7, 1, 5*s), closed("x", 7, 2, 5*s)}, false},
		"idle for hardly any":               {[]*end{closed("x", 7, 0, 60*ms), closed("x", 7, 1, 70*ms), closed("x", 7, 2, 499*ms)}, true},
		"a steady limit of 200 ms":          {[]*end{closed("x", 7, 0, 200*ms), closed("x", 7, slice, 216*ms), closed("x", 7, -slice, 304*ms)}, false},
		"others all the time":               {[]*end{closed("x", 7, 0, 60*ms), closed("x", 7, 1, 70*ms), closed("x", 7, 2, 400*ms), closed("x", 7, -4*slice, 60*ms), closed("x", 7, -5*slice, 80*ms), closed("x", 7, -6*slice, 80*ms)}, false},
		"idle as for a timeout":             {[]*end{closed("x", 7, 0, 500*ms), closed("x", 7, 1, 500*ms), closed("x", 7, 2, 500*ms)}, false},
		"a second apart, not the double":    {[]*end{closed("x", 7, 0, 5*s), closed("x", 7, 1, 5*s), closed("x", 7, 2, 6*s)}, false},
		"the double, not a second apart":    {[]*end{closed("x", 7, 0, 900*ms), closed("x", 7, 1, 900*ms), closed("x", 7, 2, 1800*ms)}, false},
		"a second apart, and the double":    {[]*end{closed("x", 7, 0, s), closed("x", 7, 1, s), closed("x", 7, 2, 2*s)}, true},
		"nginx, whose timers are exact":     {[]*end{closed("nginx", 7, 0, 5*s), closed("nginx", 7, 1, 5*s), closed("nginx", 7, 2, 5*s+250*ms)}, true},
		"nginx, one time":                   {[]*end{closed("nginx", 7, 0, 5*s), closed("nginx", 7, 1, 5*s), closed("nginx", 7, 2, 5*s+249*ms)}, false},
		"two of nginx":                      {[]*end{closed("nginx", 7, 0, 5*s), closed("nginx", 7, 1, 6*s)}, false},
		"busy ones are not kept alive ones": {[]*end{closed("x", 7, 0, 0), closed("x", 7, 1, 49*ms), closed("x", 7, 2, 60*ms)}, false},
	} {
		var b bursts
		for _, e := range c.ends {
			b.add(e)
		}
		if got := b.has(c.ends[0]); got != c.want {
			t.Errorf("%s: got %v", what, got)
		}
	}
	for what, edit := range map[string]func(*end){
		"a client":         func(e *end) { e.role = model.Active },
		"the peer closed":  func(e *end) { e.initiator = model.InitiatorPeer },
		"no process":       func(e *end) { e.pid = 0 },
		"busy":             func(e *end) { e.idle = justNow - 1 },
		"an exit":          func(e *end) { e.call = model.CallExit },
		"no call was seen": func(e *end) { e.call = model.CallUnknown },
		"never answered":   func(e *end) { e.sent = 0 },
	} {
		e := closed("x", 7, 0, s)
		if edit(e); e.byServer() {
			t.Errorf("%s: taken for a server that closed", what)
		}
	}
	e := closed("x", 7, 0, justNow)
	if e.call = model.CallShutdown; !e.byServer() {
		t.Error("shutdown() by a server is not taken for one")
	}
}

// TestBurstIsKept: what was a moment is not forgotten for the next close in its cell, until ten
// seconds have passed.
func TestBurstIsKept(t *testing.T) {
	const at = model.Time(slice) * 1e10
	var b bursts
	closed := func(pid int, slices model.Time) *end {
		return &end{pid: pid, role: model.Passive, initiator: model.InitiatorLocal, call: model.CallClose, sent: 1, idle: time.Duration(pid) * time.Second, closeTime: at + slices*model.Time(slice)}
	}
	for range 3 {
		b.add(closed(1, 0))
	}
	cell := b.cell(1, at/model.Time(slice))
	other := func(slices model.Time) *end { // another process whose closes come to the same cell
		for pid := 2; ; pid++ {
			if b.cell(pid, at/model.Time(slice)+slices) == cell {
				return closed(pid, slices)
			}
		}
	}
	if b.add(other(99)); cell.pid != 1 || cell.n != 3 {
		t.Errorf("after 9.9 s: %+v", cell)
	}
	if b.add(other(100)); cell.pid == 1 || cell.n != 1 {
		t.Errorf("after 10 s: %+v", cell)
	}
	if b.add(closed(1, 0)); cell.pid != 1 || cell.n != 1 {
		t.Errorf("one close was kept like a moment: %+v", cell)
	}
}
