package join

import (
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// The events of the other providers that are read.
var (
	afdEvents     = []uint16{7, 8, 1000, 1001, 1018, 1021, 1024, 1027, 1032, 3006}
	socketEvents  = []uint16{2, 3, 4, 6, 8, 10}
	networkEvents = []uint16{12, 13, 15, 28, 29, 31}
)

// Events returns the numbers of the events of p that a Joiner reads. Each has a
// template in package payload: one without counts as lost.
func Events(p raw.Provider) []uint16 {
	switch p {
	case raw.TCPIP:
		var ids []uint16
		for i := range tcpEvents {
			if tcpEvents[i].do != ignore {
				ids = append(ids, uint16(1000+i))
			}
		}
		return ids
	case raw.AFD:
		return afdEvents
	case raw.Sockets:
		return socketEvents
	case raw.KernelNetwork, raw.KernelTCP:
		return networkEvents
	default:
		return nil
	}
}

// action is what an event of the TCP stack is to the Joiner.
type action uint8

const (
	ignore action = iota
	asksConnect
	accepts
	connects
	connectFails
	asksClose      // close, disconnect or abort asked for, in the closing thread
	announces      // the end, with an observation
	changesState   // of the connection
	tellsOpen      // a connection that was open when the trace began
	sendsReset     //
	failedBefore   // a connect that failed, reported again without a TCB
	sumsUp         // the counters of a connection at its end
	interfaceFalls //
)

// tcpEvent is what closetrace reads in an event of Microsoft-Windows-TCPIP.
type tcpEvent struct {
	do        action
	announced model.Observation
	has       bool // announced is set
	// errno is the error that the application's socket has then.
	errno string
	// ends: no other event need follow.
	ends bool
}

// tcpEvents are the events by number, from 1000 (docs/etw.md, section 1.2).
var tcpEvents = [...]tcpEvent{
	1002 - 1000: {do: asksConnect},
	1017 - 1000: {do: accepts},
	1033 - 1000: {do: connects},
	1034 - 1000: {do: connectFails},
	1038 - 1000: {do: asksClose, announced: model.ObservedClose, has: true},
	1039 - 1000: {do: asksClose, announced: model.ObservedAbort, has: true, ends: true},
	1040 - 1000: {do: announces, announced: model.ObservedAbort, has: true, ends: true},
	1043 - 1000: {do: asksClose, announced: model.ObservedShutdown, has: true},
	1044 - 1000: {do: asksClose},
	1045 - 1000: {do: announces, announced: model.ObservedConnectTimeout, has: true, errno: "ETIMEDOUT", ends: true},
	1046 - 1000: {do: announces, announced: model.ObservedRetransmitTimeout, has: true, errno: "ETIMEDOUT", ends: true},
	1047 - 1000: {do: announces, announced: model.ObservedKeepaliveTimeout, has: true, errno: "ETIMEDOUT", ends: true},
	1048 - 1000: {do: announces, announced: model.ObservedDisconnectTimeout, has: true, ends: true},
	1051 - 1000: {do: changesState},
	1183 - 1000: {do: announces, announced: model.ObservedRefused, has: true, errno: "ECONNREFUSED", ends: true},
	1184 - 1000: {do: announces, announced: model.ObservedRSTReceived, has: true, errno: "ECONNRESET", ends: true},
	1185 - 1000: {do: announces, announced: model.ObservedPeerRestart, has: true, errno: "ECONNRESET", ends: true},
	1200 - 1000: {do: announces, announced: model.ObservedZeroWindowTimeout, has: true, errno: "ETIMEDOUT", ends: true},
	1201 - 1000: {do: announces, announced: model.ObservedFinWait2Timeout, has: true, ends: true},
	1300 - 1000: {do: tellsOpen},
	1446 - 1000: {do: interfaceFalls},
	1468 - 1000: {do: announces, announced: model.ObservedSystemAbort, has: true, ends: true},
	1477 - 1000: {do: sumsUp},
	1479 - 1000: {do: sendsReset},
	1480 - 1000: {do: failedBefore},
	1555 - 1000: {do: announces, announced: model.ObservedDestroyed, has: true, ends: true},
	1603 - 1000: {do: asksClose},
}

// states are Windows' numbers of the states (TCP_CONNECTION_STATE).
var states = [...]model.State{
	model.Closed, model.Listen, model.SynSent, model.SynRecv, model.Established, model.FinWait1,
	model.FinWait2, model.CloseWait, model.Closing, model.LastAck, model.TimeWait,
}

func stateOf(n uint64) model.State {
	if n < uint64(len(states)) {
		return states[n]
	}
	return model.StateUnknown
}

// failure is what an NTSTATUS of a failed connect means (ntstatus.h).
type failure struct {
	announced model.Observation
	errno     string
}

var failures = map[uint32]failure{
	0xC00000B5: {model.ObservedConnectTimeout, "ETIMEDOUT"}, // STATUS_IO_TIMEOUT
	0xC0000236: {model.ObservedRefused, "ECONNREFUSED"},     // STATUS_CONNECTION_REFUSED
	0xC000020D: {model.ObservedRefused, "ECONNREFUSED"},     // STATUS_CONNECTION_RESET
	0xC000023C: {model.ObservedUnreachable, "ENETUNREACH"},  // STATUS_NETWORK_UNREACHABLE
	0xC000023D: {model.ObservedUnreachable, "EHOSTUNREACH"}, // STATUS_HOST_UNREACHABLE
	0xC000023E: {model.ObservedUnreachable, "ENOPROTOOPT"},  // STATUS_PROTOCOL_UNREACHABLE
	0xC000023F: {model.ObservedUnreachable, "ECONNREFUSED"}, // STATUS_PORT_UNREACHABLE
	0xC0000241: {model.ObservedAbort, ""},                   // STATUS_CONNECTION_ABORTED
	0xC0000120: {model.ObservedAbort, ""},                   // STATUS_CANCELLED
}

func failureOf(status uint32) failure {
	if f, ok := failures[status]; ok {
		return f
	}
	return failure{model.ObservedConnectFailed, ""}
}

// resetReasons are the texts of event 1479 in the order of tcpip.sys. Only
// number 0 was seen in a real trace; the record says that the others are not
// verified.
var resetReasons = [...]string{
	"receive discarded",
	"listener got no SYN (unverified)",
	"listener paused (unverified)",
	"listener inspection rejected (unverified)",
	"SYN not acknowledged (unverified)",
	"invalid ACK (unverified)",
	"SYN and ACK with fast open cookie request (unverified)",
	"SYN in window (unverified)",
	"invalid ACK in SYN_RECV (unverified)",
	"SYN with flags in TIME_WAIT (unverified)",
	"connection aborted (unverified)",
}
