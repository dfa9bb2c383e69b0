//go:build linux

package tracer

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// ktime is nanoseconds of CLOCK_MONOTONIC, which bpf_ktime_get_ns() reads; 0
// is unknown.
type ktime int64

func (t ktime) add(d time.Duration) ktime { return t + ktime(d) }

// clock converts the kernel's clocks into wall-clock time.
type clock struct {
	realtime int64 // of CLOCK_MONOTONIC's zero
	boottime int64 // of CLOCK_BOOTTIME's zero
	spread   int64 // within which both were measured, in ns
}

// adjust takes a new measurement and returns how far the wall clock was set and how long
// the machine slept: only during sleep does CLOCK_BOOTTIME run while CLOCK_MONOTONIC
// stands still. Small differences are noise and would give one process many start times;
// they are ignored until they add up to more.
func (c *clock) adjust(fresh clock) (step, slept time.Duration) {
	wall, boot := time.Duration(fresh.realtime-c.realtime), time.Duration(fresh.boottime-c.boottime)
	if fresh.spread > int64(clockNoise) || max(wall.Abs(), boot.Abs()) <= clockNoise {
		return 0, 0
	}
	*c = fresh
	if slept = wall - boot; slept <= clockNoise {
		slept = 0
	}
	return wall - slept, slept
}

// setClock follows the wall clock. What has ended since it was last called is still held,
// so each end is reported by the clock of its time.
func (t *Tracer) setClock(out emit) bool {
	step, slept := t.asm.clock.adjust(t.now.measure())
	if step == 0 && slept == 0 {
		return true
	}
	at := t.asm.clock.time(t.now.monotonic())
	return out(&model.Event{Record: model.Record{Kind: model.KindClock, Clock: model.Clock{Time: at, Step: step, Suspended: slept}}})
}

const clockNoise = 5 * time.Millisecond

// clocks reads one of the system's clocks, by its CLOCK_ number, in ns.
type clocks func(id int32) int64

// measure reads the clocks one after the other, and again if the thread was
// interrupted in between.
func (now clocks) measure() clock {
	const tries = 10
	best, spread := clock{}, int64(1<<63-1)
	for range tries {
		before := now(unix.CLOCK_MONOTONIC)
		real := now(unix.CLOCK_REALTIME)
		boot := now(unix.CLOCK_BOOTTIME)
		if took := now(unix.CLOCK_MONOTONIC) - before; took < spread {
			best, spread = clock{realtime: real - before, boottime: real - boot, spread: took}, took
		}
		if time.Duration(spread) < 100*time.Microsecond {
			break
		}
	}
	return best
}

func (now clocks) monotonic() ktime { return ktime(now(unix.CLOCK_MONOTONIC)) }

// systemClocks are those of this process.
func systemClocks(id int32) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic("clock_gettime: " + err.Error()) // a clock that every supported kernel has
	}
	return ts.Nano()
}

func (c clock) time(t ktime) model.Time {
	if t == 0 {
		return 0
	}
	return model.Time(c.realtime + int64(t))
}

// bootTime converts a task's start_boottime.
func (c clock) bootTime(ns uint64) model.Time {
	if ns == 0 {
		return 0
	}
	return model.Time(c.boottime + int64(ns))
}
