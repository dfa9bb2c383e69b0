package summary

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// maxBuckets bounds a Timeline; it has between half as many and all.
const maxBuckets = 1024

// Timeline counts teardowns by verdict over time. Its buckets are as narrow as
// their number allows: when time goes on beyond them, neighbours are joined.
type Timeline struct {
	width   time.Duration
	begin   model.Time
	buckets []Bucket
	outside Bucket // for what has no time that makes sense
}

// Bucket is what ended within one step of a Timeline.
type Bucket struct {
	Verdicts [model.NumVerdicts]uint32
	Lost     uint64 // bytes
}

// firstWidth is the width of a bucket as long as the recording is short.
const firstWidth = 100 * time.Millisecond

// Begin returns when the first bucket begins, and Width how long each lasts.
func (t *Timeline) Begin() model.Time { return t.begin }

// Width returns how long a bucket lasts.
func (t *Timeline) Width() time.Duration { return t.width }

// Buckets returns the buckets, oldest first.
func (t *Timeline) Buckets() []Bucket { return t.buckets }

// at returns the bucket of a point in time.
func (t *Timeline) at(when model.Time) *Bucket {
	if when <= 0 {
		return &t.outside
	}
	if t.width == 0 {
		t.width = firstWidth
		t.begin = when.Add(-offset(when, t.width))
	}
	for {
		switch i := t.index(when); {
		case i >= maxBuckets, i < len(t.buckets)-maxBuckets:
			t.double()
		case i < 0:
			t.buckets = append(make([]Bucket, -i), t.buckets...)
			t.begin = t.begin.Add(time.Duration(i) * t.width)
		default:
			for len(t.buckets) <= i {
				t.buckets = append(t.buckets, Bucket{})
			}
			return &t.buckets[i]
		}
	}
}

func (t *Timeline) index(when model.Time) int {
	d := int64(when)/int64(t.width) - int64(t.begin)/int64(t.width)
	return int(d)
}

// offset is how far when is into its bucket of that width.
func offset(when model.Time, width time.Duration) time.Duration {
	return time.Duration(when) % width
}

// double joins neighbours; buckets begin at multiples of their width.
func (t *Timeline) double() {
	begin := t.begin.Add(-offset(t.begin, 2*t.width))
	odd := 0
	if begin != t.begin {
		odd = 1
	}
	joined := make([]Bucket, (len(t.buckets)+odd+1)/2)
	for i := range t.buckets {
		b := &joined[(i+odd)/2]
		for v, n := range t.buckets[i].Verdicts {
			b.Verdicts[v] += n
		}
		b.Lost += t.buckets[i].Lost
	}
	t.width, t.begin, t.buckets = 2*t.width, begin, joined
}
