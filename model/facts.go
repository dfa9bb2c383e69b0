package model

import (
	"net/netip"
	"time"
)

// Facts is everything a back end observed of one connection end. A loopback
// connection has two ends, and so two Facts.
//
// Strings that came from the system (process names, paths) are as the system
// gave them and may be hostile: sinks escape them.
type Facts struct {
	// Time is when the connection ended; for an expired linger, when close()
	// stopped waiting.
	Time Time `json:"-"`
	// ID names the connection end within a recording.
	ID string `json:"id"`

	Network   Network   `json:"network"`
	Process   Process   `json:"process,omitzero"`
	Closer    Closer    `json:"closer,omitzero"`
	Container Container `json:"container,omitzero"`
	K8s       K8s       `json:"k8s,omitzero"`
	Cgroup    Cgroup    `json:"cgroup,omitzero"`
	Systemd   Systemd   `json:"systemd,omitzero"`
	TCP       TCP       `json:"tcp"`
	Linger    Linger    `json:"linger,omitzero"`

	// StartTime is when the connection was opened (SYN sent or received);
	// unknown for one older than the trace.
	StartTime Time `json:"start_time,omitzero"`
	// Duration is Time - StartTime.
	Duration Opt[time.Duration] `json:"duration_ns,omitzero"`

	Evidence Evidence `json:"facts"`
}

// Network is the connection's tuple. IPv4-mapped IPv6 addresses are IPv4.
type Network struct {
	Local Endpoint
	Peer  Endpoint
	// NetNS is the inode number of the network namespace (Linux); 0 is unknown.
	NetNS uint32
}

// Endpoint is an address and port.
type Endpoint struct {
	Address netip.Addr `json:"address,omitzero"`
	Port    uint16     `json:"port,omitzero"`
}

// AddrPort returns e as a [netip.AddrPort].
func (e Endpoint) AddrPort() netip.AddrPort { return netip.AddrPortFrom(e.Address, e.Port) }

// Process is the process that owned the socket: the one that Source saw with
// it. After fork or descriptor passing several may hold it; then the first
// that used it.
type Process struct {
	PID int `json:"pid,omitzero"`
	// StartTime tells two processes with one PID apart.
	StartTime   Time        `json:"start_time,omitzero"`
	Name        string      `json:"name,omitzero"`
	Executable  Executable  `json:"executable,omitzero"`
	User        User        `json:"user,omitzero"`
	Source      OwnerSource `json:"source,omitzero"`
	CommandLine string      `json:"command_line,omitzero"`
}

// Executable is a process's program file.
type Executable struct {
	Path string `json:"path,omitzero"`
}

// User is a process's real user.
type User struct {
	ID   Opt[uint32] `json:"id,omitzero"`
	Name string      `json:"name,omitzero"`
}

// Closer is the process whose call ended this side, if one did.
type Closer struct {
	PID int `json:"pid,omitzero"`
	TID int `json:"tid,omitzero"`
	// Name is the name of the thread.
	Name string `json:"name,omitzero"`
	Call Call   `json:"call,omitzero"`
	// Signal is what killed the process, if Call is exit and a signal did.
	Signal int `json:"signal,omitzero"`
}

// Container is the owner's container; K8s its pod; Cgroup its control group;
// Systemd its unit. They are empty where there is none or it can't be seen.
type Container struct {
	ID      string `json:"id,omitzero"`
	Runtime string `json:"runtime,omitzero"`
	Name    string `json:"name,omitzero"`
}

// K8s is the owner's pod.
type K8s struct {
	Pod       Pod       `json:"pod,omitzero"`
	Namespace Namespace `json:"namespace,omitzero"`
	Container Named     `json:"container,omitzero"`
}

// Pod is a Kubernetes pod.
type Pod struct {
	UID  string `json:"uid,omitzero"`
	Name string `json:"name,omitzero"`
}

// Namespace is a Kubernetes namespace.
type Namespace struct {
	Name string `json:"name,omitzero"`
}

// Named is a thing of which only the name is known.
type Named struct {
	Name string `json:"name,omitzero"`
}

// Cgroup is a control group (version 2), as a path below its mount.
type Cgroup struct {
	Path string `json:"path,omitzero"`
}

// Systemd is a systemd unit.
type Systemd struct {
	Unit string `json:"unit,omitzero"`
}

// TCP is what the protocol did.
type TCP struct {
	Role Role `json:"role,omitzero"`
	Path Path `json:"path,omitzero"`
	// Error is the socket's error at the end, by its POSIX name: ECONNRESET.
	Error string `json:"error,omitzero"`
	FIN   FIN    `json:"fin,omitzero"`
	RST   RST    `json:"rst,omitzero"`
	Bytes Bytes  `json:"bytes,omitzero"`
	// Retransmits is the number of segments sent again during the whole life.
	Retransmits Opt[uint32]        `json:"retransmits,omitzero"`
	SRTT        Opt[time.Duration] `json:"srtt_ns,omitzero"`
	// LastSent and LastReceived are when data was last sent and last received
	// before this end began to close, or before it ended. Linux counts jiffies: the
	// truth is up to one jiffy (1 to 10 ms) off. A retransmission counts as sent.
	LastSent     Time `json:"last_sent_time,omitzero"`
	LastReceived Time `json:"last_received_time,omitzero"`
	// Idle is the time from the last new data in either direction until the close,
	// the first FIN or the RST; of a path that went dead, until the data was sent
	// whose acknowledgement never came.
	Idle Opt[time.Duration] `json:"idle_ns,omitzero"`
	// LastSpeaker is who sent the last data. If it is the peer and this end closed, a
	// request is unanswered; if it is this end, it has asked and got no answer.
	LastSpeaker Side     `json:"last_speaker,omitzero"`
	Segments    Segments `json:"segments,omitzero"`
	// UnackedWait is how long the oldest unacknowledged byte has waited at the end.
	UnackedWait Opt[time.Duration] `json:"unacked_wait_ns,omitzero"`
	// MSS is the payload of a full-size segment that this end sends; PMTU is the
	// path MTU it knows.
	MSS  Opt[uint32] `json:"mss,omitzero"`
	PMTU Opt[uint32] `json:"pmtu,omitzero"`
	// FullSizeAcked is whether a segment as large as MSS was ever acknowledged;
	// unknown if that can't be told, and if none was sent.
	FullSizeAcked Opt[bool] `json:"full_size_acked,omitzero"`
	Limited       Limited   `json:"limited,omitzero"`
	// SYNCookie: the connection was accepted by a SYN cookie: the queue of
	// half-open connections was full.
	SYNCookie Opt[bool] `json:"syn_cookie,omitzero"`
	// FastOpen is whether data in the SYN was acknowledged (TCP Fast Open).
	FastOpen    Opt[bool]   `json:"fast_open,omitzero"`
	Fingerprint Fingerprint `json:"fingerprint,omitzero"`
	// TimeWait is whether the tuple went on into TIME_WAIT. Unknown where as many
	// are there as net.ipv4.tcp_max_tw_buckets allows: Linux then makes no more.
	TimeWait Opt[bool] `json:"time_wait,omitzero"`
	// Loopback is whether both ends have the same or a loopback address.
	Loopback bool `json:"loopback,omitzero"`
	// Preexisting is whether the connection is older than the trace.
	Preexisting bool `json:"preexisting,omitzero"`
}

// FIN says in which directions a FIN was seen.
type FIN struct {
	Sent     Opt[bool] `json:"sent,omitzero"`
	Received Opt[bool] `json:"received,omitzero"`
}

// RST says in which directions a reset was seen.
type RST struct {
	// Sent: this end's TCP sent it. A firewall of this host may have dropped it on
	// its way out, so that the peer waits for it in vain.
	Sent     Opt[bool] `json:"sent,omitzero"`
	Received Opt[bool] `json:"received,omitzero"`
	// Reason is what the platform gave as the reason of a sent RST (Linux 6.12:
	// the name of enum sk_rst_reason without its prefix SK_RST_REASON_).
	Reason string `json:"reason,omitzero"`
}

// Bytes counts payload. SYN and FIN are not in it.
type Bytes struct {
	// Sent was acknowledged by the peer's TCP.
	Sent Opt[uint64] `json:"sent,omitzero"`
	// Received came in, in order.
	Received Opt[uint64] `json:"received,omitzero"`
	// Unsent was written by the application and never left.
	Unsent Opt[uint64] `json:"unsent,omitzero"`
	// Unacked was written and never acknowledged; Unsent is part of it: the
	// bytes lost on this side.
	Unacked Opt[uint64] `json:"unacked,omitzero"`
	// Unread was received and thrown away.
	Unread Opt[uint64] `json:"unread,omitzero"`
	// Retransmitted was sent more than once; each time again counts.
	Retransmitted Opt[uint64] `json:"retransmitted,omitzero"`
}

// Lost returns the bytes that this end lost: never acknowledged or never read.
func (b Bytes) Lost() uint64 { return b.Unacked.Or(0) + b.Unread.Or(0) }

// Linger is SO_LINGER when the socket was closed.
type Linger struct {
	On      Opt[bool] `json:"on,omitzero"`
	Seconds Opt[int]  `json:"seconds,omitzero"`
	// Outcome is set by Judge and not read by Classify.
	Outcome LingerOutcome `json:"outcome,omitzero"`
}
