package model

// State is a TCP state (RFC 9293, section 3.3.2) with the names that Linux uses.
type State uint8

const (
	StateUnknown State = iota // not seen
	Established
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listen
	Closing
	NewSynRecv
)

var stateNames = []string{
	StateUnknown: "UNKNOWN",
	Established:  "ESTABLISHED",
	SynSent:      "SYN_SENT",
	SynRecv:      "SYN_RECV",
	FinWait1:     "FIN_WAIT1",
	FinWait2:     "FIN_WAIT2",
	TimeWait:     "TIME_WAIT",
	Closed:       "CLOSE",
	CloseWait:    "CLOSE_WAIT",
	LastAck:      "LAST_ACK",
	Listen:       "LISTEN",
	Closing:      "CLOSING",
	NewSynRecv:   "NEW_SYN_RECV",
}

// States returns every state that a socket may have: for listings.
func States() []State {
	var all []State
	for s := StateUnknown + 1; int(s) < len(stateNames); s++ {
		all = append(all, s)
	}
	return all
}

// String returns the name used in files and on screens.
func (v State) String() string { return enumName(stateNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v State) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *State) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[State](stateNames, "state", text)
	return err
}

// Role is who opened the connection.
type Role uint8

const (
	RoleUnknown Role = iota // opened before the trace, not known
	Active                  // this end connected
	Passive                 // this end accepted
)

var roleNames = []string{
	RoleUnknown: "unknown",
	Active:      "active",
	Passive:     "passive",
}

// String returns the name used in files and on screens.
func (v Role) String() string { return enumName(roleNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Role) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Role) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Role](roleNames, "role", text)
	return err
}
