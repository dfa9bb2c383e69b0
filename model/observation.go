package model

// Observation is one thing that happened to a connection, or that was so when it
// ended, in words that hold on every platform. Rules read nothing else. A source
// hands observations over, in [Evidence.Seen], [Evidence.Announced] or
// [Evidence.Inferred]; what Linux shows in raw facts instead is read by the third
// column of the table below.
type Observation uint8

// The first twenty are the ones that Windows announces. The table below says what
// each one means.
const (
	ObservedRSTReceived Observation = iota
	ObservedRefused
	ObservedConnectTimeout
	ObservedUnreachable
	ObservedConnectFailed
	ObservedAbort
	ObservedRetransmitTimeout
	ObservedKeepaliveTimeout
	ObservedZeroWindowTimeout
	ObservedFinWait2Timeout
	ObservedDisconnectTimeout
	ObservedSystemAbort
	ObservedDestroyed
	ObservedPeerRestart
	ObservedShutdown
	ObservedPeerFIN
	ObservedClose
	ObservedRSTSent
	ObservedDisconnect
	ObservedCutOff

	ObservedNeverOpen
	ObservedResetHere
	ObservedResetBetween
	ObservedAnsweredData
	ObservedNoDescriptor
	ObservedNoOwner
	ObservedNoPort
	ObservedConnectCancelled
	ObservedUserTimeout
	ObservedStackReset
	ObservedInFinWait2
	ObservedMPTCPReset
	ObservedInClose
	ObservedUnread
	ObservedLingerZero
	ObservedInCall
	ObservedNeverAccepted
	ObservedRSTAfterEnd
	ObservedStackResetAtEnd
	ObservedLateData
	ObservedLateDataTimeWait
	ObservedNoFINWait
	ObservedLingerExpired
	ObservedRepair
	ObservedFINFirst
	ObservedFINSecond
	ObservedFINUnacked
)

// observationTable is everything that can be observed.
var observationTable = [...]observable{
	ObservedRSTReceived:       {"rst-received", "RST received", rstReceived, nil},
	ObservedRefused:           {"refused", "RST received while connecting", refused, nil},
	ObservedConnectTimeout:    {"connect-timeout", "the attempt to connect was never answered", connectTimeout, nil},
	ObservedUnreachable:       {"unreachable", "ICMP error while connecting, whoever gave up then", unreachable, nil},
	ObservedConnectFailed:     {"connect-failed", "the attempt to connect failed, and nothing says why", nil, doubtConnectFailed},
	ObservedAbort:             {"abort", "an abort was asked for, reason not known", nil, doubtAbort},
	ObservedRetransmitTimeout: {"retransmit-timeout", "what was sent was never acknowledged, and the stack gave up", gaveUp(ObservedRetransmitTimeout), nil},
	ObservedKeepaliveTimeout:  {"keepalive-timeout", "keepalive probes were never answered", gaveUp(ObservedKeepaliveTimeout), nil},
	ObservedZeroWindowTimeout: {"zero-window-timeout", "the peer's window stayed closed, and the stack gave up", gaveUp(ObservedZeroWindowTimeout), nil},
	ObservedFinWait2Timeout:   {"finwait2-timeout", "the peer's FIN never came", nil, nil},
	ObservedDisconnectTimeout: {"disconnect-timeout", "the stack's disconnect timer ran out", nil, doubtDisconnectTimeout},
	ObservedSystemAbort:       {"system-abort", "the system aborted the connection", nil, nil},
	ObservedDestroyed:         {"destroyed", "an administrator ended the connection", destroyed, doubtDestroyed},
	ObservedPeerRestart:       {"peer-restart", "SYN received on an open connection", nil, nil},
	ObservedShutdown:          {"shutdown", "this host sent its FIN", func(f raw) bool { return f.TCP.FIN.Sent.Is(true) }, nil},
	ObservedPeerFIN:           {"peer-fin", "the peer's FIN came", func(f raw) bool { return f.TCP.FIN.Received.Is(true) }, nil},
	ObservedClose:             {"close", "the application closed the socket", func(f raw) bool { return f.Evidence.CloseTime != 0 }, nil},
	ObservedRSTSent:           {"rst-sent", "a RST left this host", func(f raw) bool { return f.TCP.RST.Sent.Is(true) }, nil},
	ObservedDisconnect:        {"disconnect", "the connection ended, and the source cannot say how", nil, nil},
	ObservedCutOff:            {"cut-off", "closed before both FINs were exchanged, and nothing says why", nil, doubtCutOff},

	ObservedNeverOpen:        {"never-open", "the connection was never established, and no data came by TCP Fast Open", neverOpen, nil},
	ObservedResetHere:        {"reset-here", "RST received, and this host made it", resetHere, doubtResetHere},
	ObservedResetBetween:     {"reset-between", "RST received, and the other end, on this host, did not send it", resetBetween, doubtResetBetween},
	ObservedAnsweredData:     {"answered-data", "data came for a closed receiving side, and was answered with RST", answeredData, nil},
	ObservedNoDescriptor:     {"no-descriptor", "no process had the socket open", noDescriptor, nil},
	ObservedNoOwner:          {"no-owner", "an orphan: the socket belonged to no process", func(f raw) bool { return f.Evidence.Dead.Is(true) }, nil},
	ObservedNoPort:           {"no-port", "no SYN was sent: no local port was free", func(f raw) bool { return f.Evidence.NoPort }, nil},
	ObservedConnectCancelled: {"connect-cancelled", "closed, shut down or disconnected while connecting", givesUpConnecting, doubtCancelled},
	ObservedUserTimeout:      {"user-timeout", "nothing was acknowledged within TCP_USER_TIMEOUT", gaveUp(ObservedUserTimeout), nil},
	ObservedStackReset:       {"stack-reset", "the stack sent RST while the connection was open, no timeout", stackReset, doubtStackReset},
	ObservedInFinWait2:       {"in-finwait2", "in FIN_WAIT2", func(f raw) bool { return f.last == FinWait2 }, nil},
	ObservedMPTCPReset:       {"mptcp-reset", "an MPTCP subflow, and RST was sent", mptcpReset, nil},
	ObservedInClose:          {"in-close", "inside close()", inClose, nil},
	ObservedUnread:           {"unread", "received data unread", unread, nil},
	ObservedLingerZero:       {"linger-zero", "SO_LINGER {1,0}", lingerZero, nil},
	ObservedInCall:           {"in-call", "in a system call, descriptor open, FINs not exchanged", inCallUnfinished, nil},
	ObservedNeverAccepted:    {"never-accepted", "open, never accepted, not an orphan", neverAccepted, nil},
	ObservedRSTAfterEnd:      {"rst-after-end", "RST sent just after the end", rstAfterEnd, nil},
	ObservedStackResetAtEnd:  {"stack-reset-at-end", "the stack sent RST just after the end, in answer to nothing", func(f raw) bool { return f.Evidence.RSTSentAfter }, nil},
	ObservedLateData:         {"late-data", "after our FIN was acknowledged, data was answered with RST", lateData, nil},
	ObservedLateDataTimeWait: {"late-data-time-wait", "later: our TIME_WAIT answered data with RST", func(f raw) bool { return f.Evidence.RSTReplyTimeWait }, nil},
	ObservedNoFINWait:        {"no-fin-wait", "TCP_LINGER2 < 0", noFINWait, nil},
	ObservedLingerExpired:    {"linger-expired", "close() waited the whole SO_LINGER time", lingerExpired, doubtLinger},
	ObservedRepair:           {"repair", "closed in TCP_REPAIR mode", repaired, nil},
	ObservedFINFirst:         {"fin-first", "this host's FIN was first, and was acknowledged", finFirst, doubtPeerFIN},
	ObservedFINSecond:        {"fin-second", "the peer's FIN was first, and this host's was acknowledged", finSecond, doubtFINAcked},
	ObservedFINUnacked:       {"fin-unacked", "this host's FIN was not acknowledged, and there was no error", finUnacked, nil},
}

// observable is a line of the table.
type observable struct {
	name, words string
	// shown is how raw facts show it; nil if it is only handed over.
	shown func(raw) bool
	// doubt says what of it was not seen, or nothing; nil for none.
	doubt func(raw) string
}

// NumObservations is how many observations there are.
const NumObservations = len(observationTable)

// String returns the name used in files.
func (o Observation) String() string {
	if int(o) < len(observationTable) {
		return observationTable[o].name
	}
	return enumName(nil, o)
}

// Words says what was observed.
func (o Observation) Words() string {
	if int(o) < len(observationTable) {
		return observationTable[o].words
	}
	return o.String()
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Observation) UnmarshalText(text []byte) (err error) {
	var names [NumObservations]string
	for i := range names {
		names[i] = observationTable[i].name
	}
	*o, err = enumValue[Observation](names[:], "observation", text)
	return err
}
