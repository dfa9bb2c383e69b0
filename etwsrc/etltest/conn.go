package etltest

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// Conn writes the events of one connection end, as its process's thread and
// the stack cause them.
type Conn struct {
	*Builder
	TCB, Endpoint, Socket uint64
	Local, Peer           netip.AddrPort
	PID, TID              uint32
	// NoAFD and NoSockets leave the events of a provider out.
	NoAFD, NoSockets bool
}

// Windows' numbers of the states.
const (
	Closed = iota
	Listen
	SynSent
	SynRcvd
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

// NTSTATUS of failed connects.
const (
	StatusRefused     = 0xC0000236
	StatusTimeout     = 0xC00000B5
	StatusUnreachable = 0xC000023D
	StatusOther       = 0xC0000001
)

const ms = time.Millisecond

// TCP adds an event of the stack in the connection's thread.
func (c *Conn) TCP(at time.Duration, id uint16, fields Fields) { c.tcp(at, c.PID, c.TID, id, fields) }

// Stack adds an event of the stack in no thread of the process.
func (c *Conn) Stack(at time.Duration, id uint16, fields Fields) { c.tcp(at, 0, 0, id, fields) }

func (c *Conn) tcp(at time.Duration, pid, tid uint32, id uint16, fields Fields) {
	all := Fields{"Tcb": c.TCB}
	switch id {
	case 1051, 1555, 1603, 1300:
	case 1479:
		all["LocalSockAddr"], all["RemoteSockAddr"] = c.Local, c.Peer
	case 1480:
		delete(all, "Tcb")
		all["LocalSockAddr"], all["RemoteSockAddr"] = c.Local, c.Peer
	default:
		all["LocalAddress"], all["RemoteAddress"] = c.Local, c.Peer
	}
	if id == 1300 {
		all["LocalAddress"], all["RemoteAddress"] = c.Local, c.Peer
	}
	for name, value := range fields {
		all[name] = value
	}
	c.Add(at, pid, tid, raw.TCPIP, id, all)
}

// State adds transitions, 1 ms apart, in no thread of the process.
func (c *Conn) State(at time.Duration, states ...int) {
	for i := range len(states) - 1 {
		c.Stack(at+time.Duration(i)*ms, 1051, Fields{"OldState": states[i], "NewState": states[i+1]})
	}
}

// AFD adds an event of the socket layer.
func (c *Conn) AFD(at time.Duration, id uint16, fields Fields) {
	if c.NoAFD {
		return
	}
	all := Fields{"Endpoint": c.Endpoint}
	for name, value := range fields {
		all[name] = value
	}
	c.Add(at, c.PID, c.TID, raw.AFD, id, all)
}

// Call adds the end of a Winsock call, or the begin of closesocket (3).
func (c *Conn) Call(at time.Duration, id uint16, fields Fields) {
	if c.NoSockets || !c.Sockets {
		return
	}
	all := Fields{}
	if id != 3 && id != 6 {
		all["Socket"] = c.Socket
	}
	for name, value := range fields {
		all[name] = value
	}
	c.Add(at, c.PID, c.TID, raw.Sockets, id, all)
}

// Linger adds setsockopt(SO_LINGER).
func (c *Conn) Linger(at time.Duration, on, seconds byte) {
	c.Call(at, 8, Fields{"Level": 0xFFFF, "OptName": 0x80, "OptVal": []byte{on, 0, seconds, 0}})
}

// Connect opens the connection actively, in 5 ms.
func (c *Conn) Connect(at time.Duration) {
	c.Create(at)
	c.AFD(at+1*ms, 1018, Fields{"EnterExit": 0, "Address": c.Peer})
	c.TCP(at+2*ms, 1051, Fields{"OldState": Closed, "NewState": SynSent})
	c.TCP(at+2*ms, 1002, Fields{"NewState": SynSent})
	c.State(at+3*ms, SynSent, Established)
	c.Stack(at+4*ms, 1033, Fields{"ProcessId": c.PID})
	c.Call(at+5*ms, 10, Fields{"Address": SockAddr(c.Peer)})
}

// Create makes the socket.
func (c *Conn) Create(at time.Duration) {
	c.AFD(at, 1000, Fields{"EnterExit": 0, "AddressFamily": 2, "SocketType": 1, "Protocol": 6, "ProcessId": c.PID})
	c.AFD(at, 1000, Fields{"EnterExit": 1, "ProcessId": c.PID})
	c.Call(at, 2, Fields{"AddressFamily": 2, "SocketType": 1, "Protocol": 6, "ProcessId": c.PID})
}

// Accept opens the connection passively, in 5 ms, on a listener with SO_LINGER
// off.
func (c *Conn) Accept(at time.Duration) {
	const listener = 0x77
	c.Call(at, 2, Fields{"Socket": listener, "AddressFamily": 2, "SocketType": 1, "Protocol": 6, "ProcessId": c.PID})
	c.State(at+1*ms, Listen, SynRcvd, Established)
	c.Stack(at+3*ms, 1017, Fields{"ProcessId": c.PID})
	c.AFD(at+4*ms, 1024, Fields{"EnterExit": 1, "Endpoint": listener, "Address": c.Peer, "AcceptEndpoint": c.Endpoint})
	c.Call(at+5*ms, 6, Fields{"SocketAccepted": c.Socket, "SocketListening": listener, "ProcessId": c.PID})
}

// EnterClose and LeaveClose are the begin and the end of closesocket.
func (c *Conn) EnterClose(at time.Duration) { c.Call(at, 3, nil) }

// LeaveClose is the end of closesocket with an error, or 0.
func (c *Conn) LeaveClose(at time.Duration, code int) { c.Call(at, 4, Fields{"ErrorCode": code}) }

// FIN asks for the graceful close in the thread.
func (c *Conn) FIN(at time.Duration, from, to int) {
	c.TCP(at, 1038, nil)
	c.TCP(at, 1044, nil)
	c.TCP(at, 1603, Fields{"State": from})
	c.TCP(at+1*ms, 1051, Fields{"OldState": from, "NewState": to})
	c.TCP(at+1*ms, 1043, nil)
}

// Abort asks for the abort in the thread; AFD gives a reason unless it is 0.
func (c *Conn) Abort(at time.Duration, from int, reason uint32) {
	if reason != 0 {
		c.AFD(at, 1032, Fields{"EnterExit": 2, "Reason": reason})
	}
	c.TCP(at, 1039, nil)
	c.TCP(at+1*ms, 1051, Fields{"OldState": from, "NewState": Closed})
	c.TCP(at+1*ms, 1040, nil)
}
