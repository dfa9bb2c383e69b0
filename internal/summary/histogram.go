package summary

import (
	"math"
	"math/bits"
	"slices"
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
	// longest are the longest durations, ascending, so that one can be taken back;
	// more is whether there were others.
	longest []time.Duration
	more    bool
}

// keptLongest is how many of the longest can be taken back until the maximum is
// only known to within a bin.
const keptLongest = 64

// Add counts d.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.bins[bin(uint64(d))]++
	h.count++
	place, _ := slices.BinarySearch(h.longest, d)
	if h.more && place == 0 {
		return
	}
	h.longest = slices.Insert(h.longest, place, d)
	if len(h.longest) > keptLongest {
		h.longest, h.more = slices.Delete(h.longest, 0, 1), true
	}
}

// take takes back d, which was added.
func (h *Histogram) take(d time.Duration) {
	d = max(d, 0)
	h.bins[bin(uint64(d))]--
	h.count--
	if place, found := slices.BinarySearch(h.longest, d); found {
		h.longest = slices.Delete(h.longest, place, place+1)
	}
}

// Count returns how many durations were added.
func (h *Histogram) Count() uint64 { return h.count }

// Max returns the longest one, exactly, unless more than keptLongest were taken back.
func (h *Histogram) Max() time.Duration {
	if n := len(h.longest); n > 0 {
		return h.longest[n-1]
	}
	for i := len(h.bins) - 1; i >= 0; i-- {
		if h.bins[i] > 0 {
			return time.Duration(low(i+1) - 1)
		}
	}
	return 0
}

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
		return h.Max()
	}
	var seen uint64
	for i := range h.bins {
		if seen += h.bins[i]; seen >= max(rank, 1) {
			from, to := low(i), low(i+1)-1
			return min(time.Duration(from+(to-from)/2), h.Max())
		}
	}
	return h.Max()
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
