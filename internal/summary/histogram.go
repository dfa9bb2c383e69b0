package summary

import (
	"math"
	"math/bits"
	"time"
)

// subBits is the number of bits of a duration that a bin keeps: 32 bins
// between a power of two and the next, so a bin is at most 1/32 wide and its
// middle at most 1/64 off.
const subBits = 5

// Histogram counts durations in bins whose width grows with them. The zero
// value is ready. Negative durations count as 0.
type Histogram struct {
	bins  [(64 - subBits) << subBits]uint64
	count uint64
	max   time.Duration
}

// Add counts d.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.bins[bin(uint64(d))]++
	h.count++
	h.max = max(h.max, d)
}

// Count returns how many durations were added.
func (h *Histogram) Count() uint64 { return h.count }

// Max returns the longest one, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

func bin(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift)&(1<<subBits-1)
}

// low returns the least value of a bin.
func low(bin int) uint64 {
	if bin < 1<<subBits {
		return uint64(bin)
	}
	shift := bin>>subBits - 1
	return uint64(1<<subBits+bin&(1<<subBits-1)) << shift
}

// Quantile returns the duration that a share q of all durations does not
// exceed, to within 2 %; 0 of an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(h.count)))
	if rank >= h.count {
		return h.max
	}
	var seen uint64
	for i := range h.bins {
		if seen += h.bins[i]; seen >= max(rank, 1) {
			from, to := low(i), low(i+1)-1
			return min(time.Duration(from+(to-from)/2), h.max)
		}
	}
	return h.max
}

// Bar is a column of a histogram: durations from From up to To.
type Bar struct {
	From, To time.Duration
	Count    uint64
}

// Bars returns the counts by powers of two, from the first to the last that
// has any.
func (h *Histogram) Bars() []Bar {
	var bars []Bar
	for i := 0; i < len(h.bins); i += 1 << subBits {
		b := Bar{From: time.Duration(low(i)), To: time.Duration(min(low(i+1<<subBits), math.MaxInt64))}
		for _, n := range h.bins[i : i+1<<subBits] {
			b.Count += n
		}
		if b.Count > 0 || len(bars) > 0 {
			bars = append(bars, b)
		}
	}
	for len(bars) > 0 && bars[len(bars)-1].Count == 0 {
		bars = bars[:len(bars)-1]
	}
	return bars
}
