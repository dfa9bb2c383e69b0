package findings

import (
	"math"
	"time"

	"github.com/closetrace/closetrace/model"
)

// spread is how durations differ.
type spread struct {
	n        uint64
	min, max time.Duration
	sum      float64
}

func (s *spread) add(d time.Duration) {
	if s.n == 0 || d < s.min {
		s.min = d
	}
	s.n++
	s.max = max(s.max, d)
	s.sum += float64(d)
}

func (s *spread) mean() time.Duration {
	if s.n == 0 {
		return 0
	}
	return time.Duration(s.sum / float64(s.n))
}

// limited reports whether a time limit may have made the times of s: all are about the least of
// them, later by chance and never sooner, and one, on a busy machine, by more.
func (s *spread) limited() bool {
	if s.n < 2 || s.mean() > s.min*11/10 {
		return false
	}
	others := time.Duration((s.sum - float64(s.max)) / float64(s.n-1))
	return others <= s.min+s.min/50+50*time.Millisecond
}

// clusters are times at which several things happened together.
type clusters struct {
	from, to model.Time // of the last one
	n        uint64     // in it
	many     uint64     // how many there were of at least few
	in       uint64     // how much is in these
}

func (c *clusters) add(at model.Time, width time.Duration) {
	if from, to := min(c.from, at), max(c.to, at); c.n > 0 && to.Sub(from) < width {
		c.from, c.to = from, to
		c.n++
	} else {
		c.from, c.to, c.n = at, at, 1
	}
	switch {
	case c.n == few:
		c.many++
		c.in += few
	case c.n > few:
		c.in++
	}
}

// rhythm is the duration that most have, within a quarter, and how many since it was found.
type rhythm struct {
	usual      time.Duration
	votes, has uint64
}

func (r *rhythm) add(d time.Duration) {
	switch off := d - r.usual; {
	case r.votes == 0:
		*r = rhythm{d, 1, 1}
	case off.Abs() <= r.usual/4:
		r.usual += off / 8
		r.votes++
		r.has++
	default:
		r.votes--
	}
}

// steady reports whether four of five are so; a busy machine stalls now and then.
func (r *rhythm) steady(of uint64) bool { return of >= 2 && r.usual >= idleLeast && r.has*10 >= of*8 }

// values finds the most frequent duration: it counts them in steps of 1.5 %.
type values struct {
	bins map[int16]uint64
	sums map[int16]time.Duration
}

const (
	step    = 1.015
	maxBins = 256
)

func (v *values) add(d time.Duration) {
	if v.bins == nil {
		v.bins, v.sums = map[int16]uint64{}, map[int16]time.Duration{}
	}
	bin := int16(math.Log(float64(d)) / math.Log(step))
	if _, known := v.bins[bin]; !known && len(v.bins) >= maxBins {
		return
	}
	v.bins[bin]++
	v.sums[bin] += d
}

// mode returns the duration around which most lie, within 1.5 % on each side, and how
// many.
func (v *values) mode() (around time.Duration, n uint64) {
	around, n, _ = v.most()
	return around, n
}

// near reports whether the mode is about d.
func (v *values) near(d time.Duration) bool {
	around, n := v.mode()
	return n > 0 && (around-d).Abs() <= d/10
}

// usual is the mode, and whether it is that of 60 % of so many, at least 3.
func (v *values) usual(of uint64) (around time.Duration, n uint64, is bool) {
	around, n = v.mode()
	return around, n, n >= 3 && n*10 >= of*6
}

// bounds are the least and the greatest duration of the mode.
func (v *values) bounds() (from, to time.Duration) {
	_, _, bin := v.most()
	return time.Duration(math.Ceil(math.Pow(step, float64(bin)))), time.Duration(math.Ceil(math.Pow(step, float64(bin+2))))
}

// pair is how many lie around the two most frequent durations.
func (v *values) pair() uint64 {
	_, n, at := v.most()
	rest := values{bins: map[int16]uint64{}}
	for bin, n := range v.bins {
		if bin != at && bin != at+1 {
			rest.bins[bin] = n
		}
	}
	_, more, _ := rest.most()
	return n + more
}

func (v *values) most() (around time.Duration, n uint64, at int16) {
	for bin := range v.bins {
		var sum time.Duration
		var here uint64
		for _, b := range []int16{bin, bin + 1} {
			here += v.bins[b]
			sum += v.sums[b]
		}
		d := sum / time.Duration(max(here, 1))
		if here > n || here == n && d < around {
			around, n, at = d, here, bin
		}
	}
	return around, n, at
}
