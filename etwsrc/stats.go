package etwsrc

import (
	"fmt"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
)

// Stats says how well the events could be read.
type Stats struct {
	// Events is the number of events that were read, of all providers.
	Events uint64
	// Undecoded are the kinds of events whose payload was not as documented.
	// Each of them counts as a lost event for the connections open at the time.
	Undecoded []Undecoded
}

// Undecoded is a kind of event that could not be decoded.
type Undecoded struct {
	Provider string
	ID       uint16
	Version  uint8
	// Length is the size of the payload in bytes.
	Length int
	Count  uint64
}

// String returns one line.
func (u Undecoded) String() string {
	return fmt.Sprintf("%s event %d version %d with a payload of %d bytes is not as documented: %d not read; please report this line",
		u.Provider, u.ID, u.Version, u.Length, u.Count)
}

func undecoded(d *payload.Decoder) []Undecoded {
	var list []Undecoded
	kinds, counts := d.Failures()
	for i, k := range kinds {
		list = append(list, Undecoded{k.Provider.String(), k.ID, k.Version, k.Length, counts[i]})
	}
	return list
}
