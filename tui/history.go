package tui

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// perVerdict counts ends by verdict.
type perVerdict [model.NumVerdicts]uint64

func (p *perVerdict) add(v model.Verdict, n uint64) { p[clampVerdict(v)] += n }

// take is the opposite of add, once.
func (p *perVerdict) take(v model.Verdict) {
	if n := &p[clampVerdict(v)]; *n > 0 {
		*n--
	}
}

func (p *perVerdict) total() uint64 {
	var n uint64
	for _, c := range p {
		n += c
	}
	return n
}

// clampVerdict makes a verdict of a later version an unknown one.
func clampVerdict(v model.Verdict) model.Verdict {
	if int(v) < model.NumVerdicts {
		return v
	}
	return model.VerdictUnknown
}

// history counts ends by verdict in equal spans of recorded time; spans older
// than its length are forgotten.
type history struct {
	spans  [][model.NumVerdicts]uint32 // a ring: span number i is at i % len
	width  time.Duration
	newest int64 // number of the newest span since 1970
	// now are the counts of the newest span, from its beginning until its end: most ends
	// are of it, and divisions take long. nil: not known.
	now        *[model.NumVerdicts]uint32
	from, past model.Time
}

func newHistory(length int, width time.Duration) history {
	return history{spans: make([][model.NumVerdicts]uint32, length), width: width}
}

func (h *history) number(t model.Time) int64 { return int64(t) / int64(h.width) }

func (h *history) span(i int64) *[model.NumVerdicts]uint32 {
	n := int64(len(h.spans))
	return &h.spans[(i%n+n)%n]
}

// add counts n ends with verdict v at t.
func (h *history) add(t model.Time, v model.Verdict, n uint32) {
	if h.now != nil && t >= h.from && t < h.past {
		h.now[clampVerdict(v)] += n
		return
	}
	i := h.number(t)
	if i > h.newest {
		for k := max(h.newest+1, i-int64(len(h.spans))+1); k <= i; k++ {
			*h.span(k) = [model.NumVerdicts]uint32{}
		}
		h.newest = i
		h.now, h.from = h.span(i), model.Time(i*int64(h.width))
		h.past = h.from.Add(h.width)
	}
	if h.covers(i) {
		h.span(i)[clampVerdict(v)] += n
	}
}

// take is the opposite of add, once.
func (h *history) take(t model.Time, v model.Verdict) {
	if i := h.number(t); h.covers(i) {
		if n := &h.span(i)[clampVerdict(v)]; *n > 0 {
			*n--
		}
	}
}

// rewind forgets what is later than now.
func (h *history) rewind(now model.Time) {
	i := h.number(now)
	for k := max(i+1, h.newest-int64(len(h.spans))+1); k <= h.newest; k++ {
		*h.span(k) = [model.NumVerdicts]uint32{}
	}
	h.newest, h.now = min(h.newest, i), nil
}

func (h *history) covers(i int64) bool { return i <= h.newest && i > h.newest-int64(len(h.spans)) }

// at returns the counts of span number i.
func (h *history) at(i int64) [model.NumVerdicts]uint32 {
	if h.covers(i) {
		return *h.span(i)
	}
	return [model.NumVerdicts]uint32{}
}

// last adds up the spans of the duration d before and including now.
func (h *history) last(now model.Time, d time.Duration) perVerdict {
	var sum perVerdict
	end := h.number(now)
	for i := end - int64(d/h.width) + 1; i <= end; i++ {
		for v, c := range h.at(i) {
			sum[v] += uint64(c)
		}
	}
	return sum
}

// curve returns the counts of the verdicts that want chooses in cells columns,
// the last of which ends now, each of per spans.
func (h *history) curve(now model.Time, cells, per int, want func(model.Verdict) bool) []uint64 {
	out := make([]uint64, max(cells, 0))
	first := h.number(now) - int64(cells*per) + 1
	for i := range int64(len(out) * per) {
		for v, c := range h.at(first + i) {
			if want(model.Verdict(v)) {
				out[i/int64(per)] += uint64(c)
			}
		}
	}
	return out
}

func (h *history) copy() history {
	c := *h
	c.now = nil // it is h's
	c.spans = append([][model.NumVerdicts]uint32(nil), h.spans...)
	return c
}

// sparkline draws values with the steps of ramp, of which the first is
// nothing; every value above 0 shows at least the second.
func sparkline(values []uint64, ramp []string) string {
	var top uint64
	for _, v := range values {
		top = max(top, v)
	}
	line := make([]byte, 0, len(values)*3)
	steps := uint64(len(ramp) - 1)
	for _, v := range values {
		step := uint64(0)
		if v > 0 {
			step = 1 + (v*(steps-1)+top/2)/top
		}
		line = append(line, ramp[min(step, steps)]...)
	}
	return string(line)
}
