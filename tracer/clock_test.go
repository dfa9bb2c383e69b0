//go:build linux

package tracer

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSystemClock: this process's clocks, converted, are the wall clock.
func TestSystemClock(t *testing.T) {
	now := clocks(systemClocks)
	c := now.measure()
	for name, got := range map[string]int64{
		"monotonic": int64(c.time(now.monotonic())), "boot": int64(c.bootTime(uint64(now(unix.CLOCK_BOOTTIME)))),
	} {
		if d := time.Duration(got - now(unix.CLOCK_REALTIME)).Abs(); d > time.Second {
			t.Errorf("the %s clock is %v off", name, d)
		}
	}
}

// hostClocks are clocks of a machine. Each read of one takes a while.
type hostClocks struct {
	at      int64 // CLOCK_MONOTONIC
	stepped int64 // of the wall clock
	slept   int64
	takes   func(read int) int64
	reads   int
}

func (h *hostClocks) read(id int32) int64 {
	h.reads++
	if h.takes != nil {
		h.at += h.takes(h.reads)
	}
	switch id {
	case unix.CLOCK_REALTIME:
		return h.at + epoch + h.stepped
	case unix.CLOCK_BOOTTIME:
		return h.at + h.slept
	default:
		return h.at
	}
}

// epoch is when a hostClocks's machine began.
const epoch = int64(1_800_000_000e9)

// TestMeasure: the two zeros are the machine's, also if the thread was interrupted
// between two clocks, or always is.
func TestMeasure(t *testing.T) {
	const hour = int64(time.Hour)
	for name, takes := range map[string]func(read int) int64{
		"undisturbed": func(int) int64 { return 40 },
		"interrupted once": func(read int) int64 {
			if read == 2 {
				return 3e9
			}
			return 40
		},
		"always interrupted, the second time least": func(read int) int64 {
			if read > 4 && read <= 8 {
				return 50_000
			}
			return 3e9
		},
	} {
		h := hostClocks{at: 5e9, slept: hour, takes: takes}
		c := clocks(h.read).measure()
		if d := c.realtime - epoch; d < 0 || d > 100_000 {
			t.Errorf("%s: the monotonic clock's zero is %d ns off", name, d)
		}
		if d := c.boottime - (epoch - hour); d < -100_000 || d > 100_000 {
			t.Errorf("%s: the boot clock's zero is %d ns off", name, d)
		}
		if got := c.time(1e9) - c.bootTime(1e9); time.Duration(got).Round(time.Millisecond) != time.Hour {
			t.Errorf("%s: boot time is told %v before monotonic time, want 1h", name, time.Duration(got))
		}
		if c.time(0) != 0 || c.bootTime(0) != 0 {
			t.Errorf("%s: an unknown time is told", name)
		}
	}
}

// TestAdjust: wall-clock time follows steps and sleep, which are distinguished, and
// ignores noise.
func TestAdjust(t *testing.T) {
	const hour = int64(time.Hour)
	before := clock{realtime: epoch, boottime: epoch - hour}
	for name, c := range map[string]struct {
		wall, boot, spread int64
		step, slept        time.Duration
	}{
		"noise":                   {wall: 1000, boot: -1000},
		"interrupted":             {wall: hour, boot: hour, spread: int64(time.Second)},
		"the wall clock stepped":  {wall: -hour, boot: -hour, step: -time.Hour},
		"the machine slept":       {wall: hour, boot: 0, slept: time.Hour},
		"slept, and was set then": {wall: hour + 2e9, boot: 2e9, step: 2 * time.Second, slept: time.Hour},
		"the clock was set back by what it slept": {wall: 0, boot: -hour, step: -time.Hour, slept: time.Hour},
	} {
		fresh := clock{before.realtime + c.wall, before.boottime + c.boot, c.spread}
		got := before
		step, slept := got.adjust(fresh)
		if step != c.step || slept != c.slept {
			t.Errorf("%s: set by %v, slept %v, want %v and %v", name, step, slept, c.step, c.slept)
		}
		want := before
		if c.step != 0 || c.slept != 0 {
			want = fresh
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}
