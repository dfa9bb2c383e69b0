package model

// CloseEffect is what TCP does when the last descriptor of a socket is closed.
type CloseEffect uint8

const (
	CloseUnknown CloseEffect = iota
	CloseSilent              // ends the connection, and sends nothing
	CloseReset               // ends the connection with RST
	CloseGiveUp              // gives up connecting; nothing is sent
	CloseBlock               // waits for SO_LINGER, until our FIN is acknowledged
	CloseFinish              // our FIN was sent by shutdown(); the rest goes on in the background
	CloseFIN                 // FIN, after the data that waits
)

// CloseMarks is what decides beside the state.
type CloseMarks uint8

const (
	CloseRepair     CloseMarks = 1 << iota // TCP_REPAIR
	CloseUnread                            // received data is unread
	CloseLingerZero                        // SO_LINGER {1,0}
	CloseLingers                           // SO_LINGER {1,N}
	CloseNoFINWait                         // TCP_LINGER2 < 0
	CloseUnsent                            // data has not left
)

// If returns m if it is so, and no mark otherwise.
func (m CloseMarks) If(so bool) CloseMarks {
	if so {
		return m
	}
	return 0
}

// closeLine is a line of the table: it holds in one of the states (none: in each) with
// all marks of with and none of without.
type closeLine struct {
	states        uint16
	with, without CloseMarks
	does          CloseEffect
	cause         Cause // of the teardown that follows, where it is certain
}

func in(states ...State) (set uint16) {
	for _, s := range states {
		set |= 1 << s
	}
	return set
}

// closeTable is what close() does, in the order of __tcp_close() (Linux 5.10 to 6.18,
// net/ipv4/tcp.c). With SO_LINGER {1,0}: tcp_disconnect() and tcp_need_reset(); once
// our FIN was sent and the peer's came, only data that never left still causes an RST.
// sk_stream_wait_close() waits in FIN_WAIT1, CLOSING and LAST_ACK, which close()
// enters.
var closeTable = [...]closeLine{
	{0, CloseRepair, 0, CloseSilent, CauseTCPRepair},
	{0, CloseUnread, 0, CloseReset, CauseUnreadData},
	{in(SynSent), 0, 0, CloseGiveUp, CauseUnknown},
	{in(LastAck, Closing), CloseLingerZero, CloseUnsent, CloseSilent, CauseUnknown},
	{0, CloseLingerZero, 0, CloseReset, CauseLingerZero},
	{in(FinWait2), CloseNoFINWait, 0, CloseReset, CauseLinger2Timeout},
	{in(FinWait2), 0, 0, CloseFinish, CauseUnknown},
	{0, CloseLingers, 0, CloseBlock, CauseUnknown},
	{in(FinWait1, Closing, LastAck), 0, 0, CloseFinish, CauseUnknown},
	{in(Established), CloseNoFINWait, 0, CloseFIN, CauseLinger2Timeout},
	{in(Established, CloseWait, SynRecv), 0, 0, CloseFIN, CauseUnknown},
}

// OnClose returns what close() does in state s, and the cause of the teardown that
// follows if it is certain.
func OnClose(s State, marks CloseMarks) (CloseEffect, Cause) {
	if s == StateUnknown || s == Closed || s == Listen || s == TimeWait {
		return CloseUnknown, CauseUnknown
	}
	for i := range closeTable {
		l := &closeTable[i]
		if (l.states == 0 || l.states&(1<<s) != 0) && marks&l.with == l.with && marks&l.without == 0 {
			return l.does, l.cause
		}
	}
	return CloseUnknown, CauseUnknown
}

// Aborts reports whether the close ends the connection at once.
func (e CloseEffect) Aborts() bool { return e == CloseSilent || e == CloseReset || e == CloseGiveUp }

// Waits reports whether close() blocks.
func (e CloseEffect) Waits() bool { return e == CloseBlock }

// CloseMarks returns the marks of SO_LINGER l.
func (l Linger) CloseMarks() CloseMarks {
	switch {
	case !l.On.Is(true):
		return 0
	case l.Seconds.Is(0):
		return CloseLingerZero
	default:
		return CloseLingers
	}
}
