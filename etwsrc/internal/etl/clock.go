package etl

import (
	"math"
	"math/bits"

	"github.com/closetrace/closetrace/model"
)

// The kinds of clock (Wnode.ClientContext, in the description's ReservedFlags).
const (
	clockQPC    = 1 // the performance counter
	clockSystem = 2 // system time in units of 100 ns since 1601
	clockCPU    = 3 // the CPU's cycle counter
)

// clock converts the values in records to time. A counter is related to time
// by the trace's first record, whose counter is zero and which was written at
// start.
type clock struct {
	kind      uint32
	start     model.Time
	zero      int64
	frequency uint64
}

// prepared completes c. Traces that do not name their clock have the
// performance counter, unless their records plainly hold times.
func (c clock) prepared(start int64, megahertz uint32) clock {
	const day = 24 * 3600 * 10_000_000
	near := c.zero > start-day && c.zero < start+day
	switch c.kind {
	case clockQPC, clockSystem:
	case clockCPU:
		c.frequency = uint64(megahertz) * 1_000_000
	default:
		c.kind = clockQPC
		if near {
			c.kind = clockSystem
		}
	}
	if c.frequency == 0 {
		c.frequency = 10_000_000
	}
	return c
}

func (c *clock) time(ticks int64) model.Time {
	if c.kind == clockSystem {
		return fileTime(ticks)
	}
	if ticks < c.zero {
		return c.start - model.Time(c.nanoseconds(uint64(c.zero)-uint64(ticks)))
	}
	return c.start + model.Time(c.nanoseconds(uint64(ticks)-uint64(c.zero)))
}

// nanoseconds converts a number of ticks; what is more than 140 years, which
// only a damaged file has, becomes 140 years.
func (c *clock) nanoseconds(ticks uint64) uint64 {
	const most = math.MaxInt64 / 2
	hi, lo := bits.Mul64(ticks, 1_000_000_000)
	if hi >= c.frequency {
		return most
	}
	n, _ := bits.Div64(hi, lo, c.frequency)
	return min(n, most)
}

// fileTime converts a FILETIME; 0 stays 0.
func fileTime(t int64) model.Time {
	const (
		epoch = 116_444_736_000_000_000 // 1970 in units of 100 ns since 1601
		span  = math.MaxInt64 / 200     // 146 years: beyond them a damaged file would overflow
	)
	if t == 0 {
		return 0
	}
	t = min(max(t, epoch-span), epoch+span)
	return model.Time((t - epoch) * 100)
}
