package model

import (
	"fmt"
	"strconv"
	"time"
)

// Side is one of the two ends of a connection.
type Side uint8

const (
	SideUnknown Side = iota // not known, or neither
	SideLocal               // this end
	SidePeer                // the other end
)

var sideNames = []string{
	SideUnknown: "",
	SideLocal:   "local",
	SidePeer:    "peer",
}

// String returns the name used in files and on screens.
func (v Side) String() string { return enumName(sideNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Side) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Side) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Side](sideNames, "side", text)
	return err
}

// Segments counts TCP segments, of this end's view.
type Segments struct {
	// Received, those without payload included.
	In Opt[uint64] `json:"in,omitzero"`
	// Sent, retransmissions included.
	Out Opt[uint64] `json:"out,omitzero"`
}

// Limited is how long sending was held up by what, as TCP itself counts it
// (Linux: the chronographs of struct tcp_sock, in jiffies).
type Limited struct {
	// Data was unsent or unacknowledged; includes the other two.
	Busy Opt[time.Duration] `json:"busy_ns,omitzero" usual:"0"`
	// By the peer's receive window.
	Receiver Opt[time.Duration] `json:"receiver_ns,omitzero" usual:"0"`
	// By this end's send buffer.
	Sender Opt[time.Duration] `json:"sender_ns,omitzero" usual:"0"`
}

// Fingerprint identifies a connection by its two initial sequence numbers, the
// lower one in the upper half. It is the same at both ends, and address
// translation leaves it as it is; a proxy ends the connection, and begins another
// one. 0 is not known.
type Fingerprint uint64

// NewFingerprint returns the fingerprint of a connection whose ends chose a and b.
func NewFingerprint(a, b uint32) Fingerprint {
	return Fingerprint(uint64(min(a, b))<<32 | uint64(max(a, b)))
}

// String returns 16 hexadecimal digits, or "" if f is not known.
func (f Fingerprint) String() string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", uint64(f))
}

// MarshalText implements [encoding.TextMarshaler].
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (f *Fingerprint) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) != 16 {
		return fmt.Errorf("fingerprint %.20q: want 16 hexadecimal digits", text)
	}
	*f = Fingerprint(n)
	return nil
}

// Counters is what TCP counted in one network namespace since the last such
// record of it, or since the trace began. Only what moved is in it.
type Counters struct {
	Time Time `json:"-"`
	// Where.
	Network Network `json:"network,omitzero"`
	// The time in which it was counted.
	Interval time.Duration `json:"interval_ns,omitzero"`
	// Increments by name as nstat prints it, such as TcpExtListenOverflows, of conntrack,
	// such as ConntrackInsertFailed, and VmstatOomKill of the whole host.
	Counts map[string]uint64 `json:"counts"`
}
