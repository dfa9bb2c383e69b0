package payload

import (
	"cmp"
	"slices"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// Decoder decodes payloads and counts what it can't. It is for one goroutine.
type Decoder struct {
	index    *index
	payload  Payload
	failures map[Failure]uint64
}

// Failure is one kind of payload that could not be decoded.
type Failure struct {
	Provider raw.Provider
	ID       uint16
	Version  uint8
	// Length is that of the payload.
	Length int
}

// maxFailures bounds the kinds that are kept apart; what comes after them is
// counted as the zero Failure.
const maxFailures = 1024

// NewDecoder returns a decoder.
func NewDecoder() *Decoder {
	return &Decoder{index: newIndex(), failures: make(map[Failure]uint64)}
}

// Decode decodes the payload of e, which is an event of p. The result is valid
// until the next call and refers to e.Data. The error is a [*ShortError] or an
// [*UnknownError].
func (d *Decoder) Decode(p raw.Provider, e *raw.Event) (*Payload, error) {
	t := d.index.find(p, e.ID, e.Version)
	if t == nil {
		d.count(p, e)
		return nil, &UnknownError{p, e.ID, e.Version}
	}
	if err := d.payload.split(t, e); err != nil {
		d.count(p, e)
		return nil, err
	}
	return &d.payload, nil
}

func (d *Decoder) count(p raw.Provider, e *raw.Event) {
	f := Failure{p, e.ID, e.Version, len(e.Data)}
	if _, ok := d.failures[f]; !ok && len(d.failures) >= maxFailures {
		f = Failure{}
	}
	d.failures[f]++
}

// Failures returns the kinds of payloads that could not be decoded, sorted,
// and how often each was seen.
func (d *Decoder) Failures() ([]Failure, []uint64) {
	kinds := make([]Failure, 0, len(d.failures))
	for f := range d.failures {
		kinds = append(kinds, f)
	}
	slices.SortFunc(kinds, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.Length, b.Length))
	})
	counts := make([]uint64, len(kinds))
	for i, f := range kinds {
		counts[i] = d.failures[f]
	}
	return kinds, counts
}
