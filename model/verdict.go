package model

// Verdict says how a connection ended, in one word. The zero value is unknown: no rule held.
type Verdict uint8

const (
	VerdictUnknown Verdict = iota // no rule of the table holds for the facts
	Graceful                      // both directions ended by FIN
	Abortive                      // ended by RST, timeout or destruction; data may be lost
	LingerTimeout                 // close() waited for SO_LINGER {1,N>0} and the time ran out
	FailedOpen                    // the connection never reached ESTABLISHED
	Silent                        // ended without FIN or RST on the wire and not by a timeout
)

var verdictNames = [...]string{
	VerdictUnknown: "unknown",
	Graceful:       "graceful",
	Abortive:       "abortive",
	LingerTimeout:  "linger-timeout",
	FailedOpen:     "failed-open",
	Silent:         "silent",
}

// NumVerdicts is how many verdicts there are, [VerdictUnknown] included: the length
// of an array that is indexed by verdict.
const NumVerdicts = len(verdictNames)

// String returns the name used in files and on screens.
func (v Verdict) String() string { return enumName(verdictNames[:], v) }

// Verdicts returns every verdict in the order of listings: the good one, then the
// worst first.
func Verdicts() []Verdict {
	return []Verdict{Graceful, Abortive, LingerTimeout, FailedOpen, Silent, VerdictUnknown}
}

// Meaning says in a sentence or two what v is.
func (v Verdict) Meaning() string {
	switch v {
	case Graceful:
		return "Both directions ended by FIN, or ours did and the kernel stopped waiting for the peer's."
	case Abortive:
		return "Ended by a reset (RST), a timeout or by force; data may be lost."
	case LingerTimeout:
		return "close() waited as SO_LINGER asks, and the time ran out. Windows then resets the connection; Linux goes on sending in the background."
	case FailedOpen:
		return "The connection was never established: refused, timed out, cancelled or unreachable."
	case Silent:
		return "Ended without FIN or RST on the wire and not by a timeout."
	default:
		return "No rule held for what was seen; the facts are in the recording."
	}
}

// MarshalText implements [encoding.TextMarshaler].
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Verdict) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Verdict](verdictNames[:], "verdict", text)
	return err
}

// Initiator is who sent the first FIN or RST.
type Initiator uint8

const (
	InitiatorUnknown Initiator = iota // not seen
	InitiatorLocal                    // this end
	InitiatorPeer                     // the other end
	InitiatorBoth                     // simultaneous close (RFC 9293, section 3.6)
	InitiatorNone                     // nobody: a timeout or a silent end
)

var initiatorNames = []string{
	InitiatorUnknown: "unknown",
	InitiatorLocal:   "local",
	InitiatorPeer:    "peer",
	InitiatorBoth:    "both",
	InitiatorNone:    "none",
}

// String returns the name used in files and on screens.
func (v Initiator) String() string { return enumName(initiatorNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Initiator) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Initiator) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Initiator](initiatorNames, "initiator", text)
	return err
}

// Terminator is who ended the connection. It differs from the initiator when, for instance, our half-close is answered by the peer's RST.
type Terminator uint8

const (
	TerminatorUnknown Terminator = iota // not seen
	LocalApp                            // the application on this end
	LocalKernel                         // the TCP stack of this host
	Peer                                // the other end
	NetworkPath                         // the path between: an ICMP error
	Admin                               // an administrator: SOCK_DESTROY, ss -K, SetTcpEntry
)

var terminatorNames = []string{
	TerminatorUnknown: "unknown",
	LocalApp:          "local-app",
	LocalKernel:       "local-kernel",
	Peer:              "peer",
	NetworkPath:       "network",
	Admin:             "admin",
}

// String returns the name used in files and on screens.
func (v Terminator) String() string { return enumName(terminatorNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Terminator) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Terminator) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Terminator](terminatorNames, "terminator", text)
	return err
}

// Confidence says whether the verdict was observed or concluded.
type Confidence uint8

const (
	ConfidenceUnknown Confidence = iota // not judged
	Certain                             // every fact that the rule needs was seen
	Inferred                            // something was not seen; the reason says what
)

var confidenceNames = []string{
	ConfidenceUnknown: "unknown",
	Certain:           "certain",
	Inferred:          "inferred",
}

// String returns the name used in files and on screens.
func (v Confidence) String() string { return enumName(confidenceNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Confidence) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Confidence) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Confidence](confidenceNames, "confidence", text)
	return err
}
