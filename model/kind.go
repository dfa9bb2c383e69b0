package model

// Kind says what a line of a recording is.
type Kind uint8

const (
	KindUnknown     Kind = iota // a kind of a newer version
	KindStart                   // once, first, and only when every hook is live
	KindTeardown                // exactly one for each connection end
	KindOutcome                 // at most once for an id, after its teardown: later evidence
	KindCloseFailed             // a close that tore nothing down; the handle is still open (Windows)
	KindLoss                    // events that had to be dropped since the last such line
	KindCounters                // what TCP counted in a network namespace since the last such line of it
	KindStray                   // RSTs that this host sent, in a second, for one connection that it does not have (Linux)
	KindClock                   // the wall clock was set, or the machine slept (Linux): lines after this one have times by the clock as it is now
	KindTable                   // how full the table of the connections that are followed is, before one is refused (Linux)
	KindCounts                  // ends with nothing to say of one process at one port, which were only counted since the last such line (Linux, --abnormal)
	KindStop                    // last line
)

var kindNames = []string{
	KindUnknown:     "unknown",
	KindStart:       "start",
	KindTeardown:    "teardown",
	KindOutcome:     "outcome",
	KindCloseFailed: "close-failed",
	KindLoss:        "loss",
	KindCounters:    "counters",
	KindStray:       "stray-reset",
	KindClock:       "clock",
	KindTable:       "table",
	KindCounts:      "counts",
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
