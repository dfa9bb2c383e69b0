package sockets

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// Conn is one open connection, listener or UDP endpoint. Its names are those
// of a teardown record where both have the field; what is not known is absent.
type Conn struct {
	// ID names the socket as long as the system runs. Linux:
	// NAMESPACE-COOKIE, both in hexadecimal.
	ID string `json:"id"`
	// Transport is "tcp" or "udp" (OpenTelemetry network.transport).
	Transport string        `json:"transport"`
	State     model.State   `json:"state"`
	Network   model.Network `json:"network"`

	// Process is the process that holds the socket; if several do, the oldest.
	Process   model.Process   `json:"process,omitzero"`
	Container model.Container `json:"container,omitzero"`
	K8s       model.K8s       `json:"k8s,omitzero"`
	Cgroup    model.Cgroup    `json:"cgroup,omitzero"`
	Systemd   model.Systemd   `json:"systemd,omitzero"`
	// Holders are all descriptors that refer to the socket, as far as the
	// processes can be looked into.
	Holders []Holder `json:"holders,omitzero"`
	// Orphan: closed by its process, and the kernel still works on its end.
	Orphan bool `json:"orphan,omitzero"`
	// Unaccepted: waits in a listener's queue for accept().
	Unaccepted bool `json:"unaccepted,omitzero"`

	Socket Socket       `json:"socket,omitzero"`
	Queue  Queue        `json:"queue"`
	TCP    TCP          `json:"tcp,omitzero"`
	Linger model.Linger `json:"linger,omitzero"`
	// StartTime and Duration are the age, where the system knows it.
	StartTime model.Time               `json:"start_time,omitzero"`
	Duration  model.Opt[time.Duration] `json:"duration_ns,omitzero"`
	// OnClose is what close() would do now.
	OnClose Prediction `json:"on_close,omitzero"`
	// Silent is the time since a segment came last. Linux.
	Silent model.Opt[time.Duration] `json:"silent_ns,omitzero"`
	// Doom is what will end it, or keeps it from ending. Linux.
	Doom Doom `json:"doom,omitzero"`

	key      key
	cgroupID uint64            // of the socket
	sentAge  time.Duration     // since data was last sent, retransmissions included
	probing  time.Duration     // since its closed window was probed first; 0 is unknown
	window   model.Opt[uint32] // that the peer offered last; since 5.4
	backoff  uint8
	limits   Limits
}

// Listens reports whether c waits for connections or datagrams of any peer.
func (c *Conn) Listens() bool {
	return c.State == model.Listen || c.Transport == "udp" && c.Network.Peer.Port == 0
}

// Holder is one descriptor that refers to a socket.
type Holder struct {
	PID        int    `json:"pid"`
	Name       string `json:"name,omitzero"`
	Descriptor int    `json:"descriptor"`
}

// Socket is what the kernel keeps about the socket itself. Linux.
type Socket struct {
	Inode uint32            `json:"inode,omitzero"`
	UID   model.Opt[uint32] `json:"uid,omitzero"` // of its creator
	// Cgroup is that of the socket's creator or listener, where it is not that
	// of Process: after socket activation or descriptor passing.
	Cgroup    string `json:"cgroup,omitzero"`
	Interface uint32 `json:"interface,omitzero"` // index, if bound to one
	// Shutdown is the mask of closed directions: 1 receive, 2 send.
	Shutdown model.Opt[uint8] `json:"shutdown,omitzero"`
	// Cookie is the kernel's number for the socket.
	Cookie uint64 `json:"cookie,omitzero"`
	// Drops counts datagrams or segments that found no room.
	Drops model.Opt[uint32] `json:"drops,omitzero"`
}

// Queue is what waits. Of a connection: bytes that were not read, and bytes
// that were not acknowledged, SYN and FIN included, as netstat and ss count.
// Of a listener: connections that wait for accept(), and how many may.
type Queue struct {
	Receive uint32 `json:"receive"`
	Send    uint32 `json:"send"`
}

// TCP is what only TCP has. Linux, except where said.
type TCP struct {
	Bytes       model.Bytes              `json:"bytes,omitzero"`
	Retransmits model.Opt[uint32]        `json:"retransmits,omitzero"`
	SRTT        model.Opt[time.Duration] `json:"srtt_ns,omitzero"`
	RTTVar      model.Opt[time.Duration] `json:"rttvar_ns,omitzero"`
	RTO         model.Opt[time.Duration] `json:"rto_ns,omitzero"`
	MSS         uint32                   `json:"mss,omitzero"`
	Window      uint32                   `json:"cwnd,omitzero"`
	// Idle is the time since data was last sent or received, whichever is less.
	Idle model.Opt[time.Duration] `json:"idle_ns,omitzero"`
	// TimeWait: only a TIME_WAIT minisock is left, also if State is FIN_WAIT2.
	TimeWait bool  `json:"time_wait,omitzero"`
	Timer    Timer `json:"timer,omitzero"`
	// Linger2 is TCP_LINGER2 in seconds; negative: no wait in FIN_WAIT2.
	Linger2 model.Opt[int] `json:"linger2,omitzero"`
	// Repair: in TCP_REPAIR mode, where close() sends nothing.
	Repair bool `json:"repair,omitzero"`
	// MPTCP: a subflow, which closes as MPTCP wants.
	MPTCP bool `json:"mptcp,omitzero"`
}

// Timer is the timer that runs on a connection.
type Timer struct {
	// Name is on (retransmission), keepalive, timewait, persist (zero window
	// probe) or unknown: the words of ss.
	Name string `json:"name,omitzero"`
	// Expires is when it runs out.
	Expires time.Duration `json:"expires_ns,omitzero"`
	// Unanswered counts retransmissions or probes since the last answer.
	Unanswered uint8 `json:"unanswered,omitzero"`
}

// String returns the name, which is what filters see.
func (t Timer) String() string { return t.Name }

// Scope chooses sockets by their state.
type Scope uint8

// The scopes, as ss has them.
const (
	Connections Scope = iota // not listeners, not TIME_WAIT, not SYN_RECV (ss)
	Listeners                // only what listens; of UDP: what is not connected (ss -l)
	Everything               // all of them (ss -a)
)

// Options chooses what [List] returns. The zero value lists the TCP
// connections of this network namespace.
type Options struct {
	Scope Scope
	// TCP and UDP choose the transports; neither means TCP.
	TCP, UDP bool
	// AllNetNS lists all network namespaces that can be found: those of
	// processes and those with a name. It needs CAP_SYS_ADMIN. Linux.
	AllNetNS bool
	// Elsewhere adds what Held knows of other network namespaces: the TCP
	// connections that a process holds, not those that the kernel alone finishes. It takes no privilege. Linux.
	Elsewhere bool
	// Owners describes processes further; nil leaves it.
	Owners Owners
	// Held returns who holds which socket now, and its SO_LINGER, in place of a
	// walk through /proc. Nil, or any error: the walk. Linux.
	Held func() ([]Held, error)
	// Skipped, if set, gets what could not be looked into.
	Skipped func(error)
}

// Owners knows more about processes and control groups. Implemented by
// package tracer.
type Owners interface {
	// Describe fills in f by f.Process. started is the process's start in
	// nanoseconds since boot and cgroup the id of its cgroup v2, 0 if unknown.
	// execs is how often it has executed a program, where a trace counts that.
	Describe(f *model.Facts, started, cgroup, execs uint64)
	// CgroupPath returns the path of a cgroup v2, or "".
	CgroupPath(id uint64) string
}

// Held is a socket that a process holds.
type Held struct {
	Inode      uint32
	PID        int
	Descriptor int
	Name       string // of the process
	UID        uint32
	Started    uint64 // of the process: nanoseconds since boot
	Cgroup     uint64 // id of its cgroup v2, 0 if unknown
	// Linger and Linger2 are known if the holder could be looked into.
	Linger  model.Linger
	Linger2 model.Opt[int]
	Repair  bool
	MPTCP   bool
	// Limits are the socket's own, as far as they are known; 0 is not.
	Limits Limits
	// Connection is the socket itself, where the source knows it, in any network
	// namespace; nil if it is not of TCP.
	Connection *HeldConnection
	// Source says how this was learnt.
	Source model.OwnerSource
}

// HeldConnection is a TCP socket as its holder's descriptor shows it.
type HeldConnection struct {
	Network     model.Network
	State       model.State
	Cookie      uint64 // 0 if it has none yet
	Queue       Queue
	Unsent      uint32 // of the send queue, what never left
	Retransmits uint32
	Silent      time.Duration // since a segment came last; 0 is unknown
	Probing     time.Duration // since a closed window was probed first; 0 is unknown
}

func (o *Options) transports() []string {
	switch {
	case o.UDP && o.TCP:
		return []string{"tcp", "udp"}
	case o.UDP:
		return []string{"udp"}
	default:
		return []string{"tcp"}
	}
}
