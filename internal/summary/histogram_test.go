package summary

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var h Histogram
	var all []time.Duration
	for range 50000 {
		d := time.Duration(math.Exp(r.Float64() * 40))
		h.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, .01, .5, .9, .99, .999, 1} {
		want := all[max(int(math.Ceil(q*float64(len(all))))-1, 0)] // nearest rank
		if got := h.Quantile(q); math.Abs(float64(got-want)) > 0.02*float64(want)+1 {
			t.Errorf("quantile %v: got %v, want %v to within 2 %%", q, got, want)
		}
	}
	var sum uint64
	for _, b := range h.Bars() {
		sum += b.Count
		if b.From >= b.To {
			t.Errorf("bar from %v to %v", b.From, b.To)
		}
	}
	if sum != h.Count() || h.Max() != all[len(all)-1] {
		t.Errorf("got %d in bars and max %v, want %d and %v", sum, h.Max(), h.Count(), all[len(all)-1])
	}
	h.Add(-1)
	h.Add(math.MaxInt64)
	if got := h.Quantile(1); got != math.MaxInt64 {
		t.Errorf("got %v, want the longest duration there is", got)
	}
}

func TestMedianOfTwo(t *testing.T) {
	var h Histogram
	h.Add(16)
	h.Add(time.Second)
	if got := h.Quantile(.5); got != 16 {
		t.Errorf("got %v, want the shorter one", got)
	}
	if got := h.Quantile(.99); got != time.Second {
		t.Errorf("99 %%: got %v, want the longer one", got)
	}
}

func TestBins(t *testing.T) {
	for v := uint64(0); v < 1<<63; v += v/8 + 1 {
		if i := bin(v); v < low(i) || v >= low(i+1) {
			t.Fatalf("%d: bin %d is from %d to %d", v, i, low(i), low(i+1))
		}
	}
}
