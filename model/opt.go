package model

import "encoding/json"

// Opt is a value that may not be known. Unknown is not zero: a connection that
// lost 0 bytes and one whose losses nobody saw are different records, and an
// unknown field is absent from the file. The zero Opt is unknown, so that
// `json:",omitzero"` leaves it out.
type Opt[T comparable] struct {
	value T
	known bool
}

// Some returns a known value.
func Some[T comparable](v T) Opt[T] { return Opt[T]{value: v, known: true} }

// Get returns the value and whether it is known.
func (o Opt[T]) Get() (T, bool) { return o.value, o.known }

// Known reports whether the value is known.
func (o Opt[T]) Known() bool { return o.known }

// Or returns the value, or d if it is not known.
func (o Opt[T]) Or(d T) T {
	if o.known {
		return o.value
	}
	return d
}

// Is reports whether the value is known and equal to v.
func (o Opt[T]) Is(v T) bool { return o.known && o.value == v }

// MarshalJSON implements [json.Marshaler]. An unknown value is null; records
// leave it out instead.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.known {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON implements [json.Unmarshaler]; null stays unknown.
func (o *Opt[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*o = Opt[T]{}
		return nil
	}
	if err := json.Unmarshal(data, &o.value); err != nil {
		return err
	}
	o.known = true
	return nil
}
