package model

// Kind says what a line of a recording is.
type Kind uint8

const (
	KindUnknown     Kind = iota // a kind of a newer version
	KindStart                   // once, first, when every hook is live
	KindTeardown                // exactly one per connection end
	KindOutcome                 // later evidence for a teardown, at most once per id
	KindCloseFailed             // a close that tore nothing down
	KindLoss                    // events that had to be dropped
	KindCounters                // what a network namespace counted: see Counters
	KindStop                    // once, last
)

var kindNames = []string{
	KindUnknown:     "unknown",
	KindStart:       "start",
	KindTeardown:    "teardown",
	KindOutcome:     "outcome",
	KindCloseFailed: "close-failed",
	KindLoss:        "loss",
	KindCounters:    "counters",
	KindStop:        "stop",
}

// String returns the name used in files and on screens.
func (v Kind) String() string { return enumName(kindNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Kind) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Kind) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Kind](kindNames, "kind", text)
	return err
}
