package model

// OwnerSource says how the owning process of a socket was learnt.
type OwnerSource uint8

const (
	OwnerUnknown  OwnerSource = iota // no owner known
	OwnerConnect                     // it called connect()
	OwnerAccept                      // it called accept()
	OwnerUse                         // it was the first seen to use the accepted socket
	OwnerListener                    // it called listen() on the listening socket: inferred
	OwnerIterator                    // it held the descriptor when the trace began
	OwnerCloser                      // it closed the socket
	OwnerInode                       // a descriptor of it refers to the socket's inode
	OwnerFork                        // the acceptor forked it before a byte was read or written: inferred
)

var ownerSourceNames = []string{
	OwnerUnknown:  "",
	OwnerConnect:  "connect",
	OwnerAccept:   "accept",
	OwnerUse:      "use",
	OwnerListener: "listener",
	OwnerIterator: "iterator",
	OwnerCloser:   "closer",
	OwnerInode:    "inode",
	OwnerFork:     "fork",
}

// String returns the name used in files and on screens.
func (v OwnerSource) String() string { return enumName(ownerSourceNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v OwnerSource) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *OwnerSource) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[OwnerSource](ownerSourceNames, "process source", text)
	return err
}

// Call is the system call or event by which a process ended its side.
type Call uint8

const (
	CallUnknown    Call = iota // no call seen
	CallClose                  // close(), or what drops the last descriptor: dup2, exec, close_range, closesocket
	CallShutdown               // shutdown() of the sending side
	CallExit                   // the process exited or was killed
	CallDisconnect             // connect(AF_UNSPEC)
	CallDestroy                // SOCK_DESTROY by an administrator
)

var callNames = []string{
	CallUnknown:    "",
	CallClose:      "close",
	CallShutdown:   "shutdown",
	CallExit:       "exit",
	CallDisconnect: "disconnect",
	CallDestroy:    "destroy",
}

// String returns the name used in files and on screens.
func (v Call) String() string { return enumName(callNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Call) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Call) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Call](callNames, "closer call", text)
	return err
}

// LingerOutcome says how a close() with SO_LINGER {1,N} went.
type LingerOutcome uint8

const (
	LingerUnknown     LingerOutcome = iota // not seen
	LingerDrained                          // everything was acknowledged in time
	LingerExpired                          // the time ran out
	LingerInterrupted                      // a signal ended the wait
	LingerReset                            // the connection was reset or timed out while waiting
	LingerSkipped                          // the kernel does not wait: the process exits, or nothing had to be sent
)

var lingerOutcomeNames = []string{
	LingerUnknown:     "",
	LingerDrained:     "drained",
	LingerExpired:     "timeout",
	LingerInterrupted: "interrupted",
	LingerReset:       "reset",
	LingerSkipped:     "skipped",
}

// String returns the name used in files and on screens.
func (v LingerOutcome) String() string { return enumName(lingerOutcomeNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v LingerOutcome) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *LingerOutcome) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[LingerOutcome](lingerOutcomeNames, "linger outcome", text)
	return err
}

// Holder says what still referred to the socket when it ended.
type Holder uint8

const (
	HolderUnknown Holder = iota // not seen
	HolderNone                  // no user socket: an orphan, or not yet accepted
	HolderClosing               // the last descriptor is being closed
	HolderOpen                  // a process holds an open descriptor
	HolderKernel                // a socket of the kernel, without a descriptor
)

var holderNames = []string{
	HolderUnknown: "",
	HolderNone:    "none",
	HolderClosing: "closing",
	HolderOpen:    "open",
	HolderKernel:  "kernel",
}

// String returns the name used in files and on screens.
func (v Holder) String() string { return enumName(holderNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Holder) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Holder) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Holder](holderNames, "descriptor", text)
	return err
}

// AbortReason is what the socket layer said of an abort of its own (Windows AFD; its numbers are mapped in etwsrc).
type AbortReason uint8

const (
	AbortUnknown   AbortReason = iota // not reported
	AbortRequested                    // an abortive disconnect was asked for
	AbortUnread                       // received data was pending
	AbortPeer                         // the transport indicated the peer's abort
	AbortOther                        // another reason; the raw number is among the events
)

var abortReasonNames = []string{
	AbortUnknown:   "",
	AbortRequested: "requested",
	AbortUnread:    "unread-data",
	AbortPeer:      "peer",
	AbortOther:     "other",
}

// String returns the name used in files and on screens.
func (v AbortReason) String() string { return enumName(abortReasonNames, v) }

// MarshalText implements [encoding.TextMarshaler].
func (v AbortReason) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *AbortReason) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[AbortReason](abortReasonNames, "abort reason", text)
	return err
}

// Doer is who ended a connection, as tables of resets count it.
type Doer uint8

const (
	DoerUs     Doer = iota // the application here
	DoerPeer               // the peer
	DoerKernel             // the kernel here, the network, an administrator, or nobody knows
	NumDoers
)

// Doer returns whose doing an end by t is.
func (v Terminator) Doer() Doer {
	switch v {
	case LocalApp:
		return DoerUs
	case Peer:
		return DoerPeer
	default:
		return DoerKernel
	}
}
