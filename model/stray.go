package model

import "time"

// Stray is resets that this host sent in answer to segments of one connection
// that it does not have: a record of [KindStray]. Its facts are the addresses, the
// platform's reason and, if the connection was one of this trace, whose it was.
type Stray struct {
	// How many, from first_time until time.
	Count uint64 `json:"count"`
	// When the first was sent.
	First Time `json:"first_time,omitzero"`
	// What this host knows of the connection. ended: it was one of this trace, and id,
	// process and closer are its. no-listener: it was to be opened, and nobody listens
	// on the port. not-ours: none of this trace. more: the resets for connections beyond
	// those that are listed one by one. Absent: not known, it may have been one whose end
	// was only counted (--abnormal).
	Why StrayReason `json:"why,omitzero"`
	// When the connection had ended.
	Ended Time `json:"ended_time,omitzero"`
	// The id of the end on this host that it reset, if there is one.
	Hit string `json:"hit,omitzero"`
	// For how long before first_time ends are remembered, where none was found.
	LookedBack Opt[time.Duration] `json:"looked_back_ns,omitzero"`
}

// StrayReason says why there is no connection for a segment.
type StrayReason uint8

const (
	StrayUnknown    StrayReason = iota // it may have been one whose end was only counted
	StrayNotOurs                       // neither of the others: the connection is not one of this trace
	StrayEnded                         // it has ended; the facts say whose it was
	StrayNoListener                    // it was to be opened, and nobody listens on the port
	StrayMore                          // many: beyond the number of connections that are listed one by one
)

var strayReasonNames = []string{
	StrayUnknown:    "",
	StrayNotOurs:    "not-ours",
	StrayEnded:      "ended",
	StrayNoListener: "no-listener",
	StrayMore:       "more",
}

// String returns the name used in files and on screens.
func (v StrayReason) String() string { return enumName(strayReasonNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v StrayReason) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *StrayReason) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[StrayReason](strayReasonNames, "why of a stray reset", text)
	return err
}
