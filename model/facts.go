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
	// Names the connection end within the recording.
	ID string `json:"id"`

	// The connection's addresses.
	Network Network `json:"network"`
	// The process that owned the socket: the one that source saw with it.
	Process Process `json:"process,omitzero"`
	// The process that accepted the connection, if the owner is a child that it forked to
	// serve it.
	Acceptor Acceptor `json:"acceptor,omitzero"`
	// The process whose call ended this side.
	Closer Closer `json:"closer,omitzero"`
	// The last signal that ends a process (INT, QUIT, ABRT, KILL, TERM) which another process
	// sent to the owner, within five seconds before the end (Linux: tracepoint signal_generate).
	Signalled Signalled `json:"signalled,omitzero"`
	// The owner's container.
	Container Container `json:"container,omitzero"`
	// The owner's pod.
	K8s K8s `json:"k8s,omitzero"`
	// The owner's control group.
	Cgroup Cgroup `json:"cgroup,omitzero"`
	// The owner's systemd unit.
	Systemd Systemd `json:"systemd,omitzero"`
	// What the protocol did.
	TCP TCP `json:"tcp"`
	// The id of the connection's other end, if that is on this host too and had ended
	// within 100 ms after this one, or up to five minutes before (Linux).
	PeerEnd string `json:"peer_end,omitzero"`
	// The process of the other end.
	PeerProcess PeerProcess `json:"peer_process,omitzero"`
	// SO_LINGER when the socket was closed.
	Linger Linger `json:"linger,omitzero"`

	// When the connection was opened; unknown for one older than the trace.
	StartTime Time `json:"start_time,omitzero"`
	// From start_time to time.
	Duration Opt[time.Duration] `json:"duration_ns,omitzero"`

	// What the judgement was made of and is not above: judging it again gives the verdict
	// again.
	Evidence Evidence `json:"facts"`
}

// Acceptor is the process that called accept(), and whose child owns the socket:
// sshd and PostgreSQL fork one for each connection.
type Acceptor struct {
	// Process ID.
	PID int `json:"pid,omitzero"`
	// Its name.
	Name string `json:"name,omitzero"`
}

// PeerProcess is the process at the other end of a connection within this host.
type PeerProcess struct {
	// Process ID.
	PID int `json:"pid,omitzero"`
	// Its name.
	Name string `json:"name,omitzero"`
	// Its container.
	Container Container `json:"container,omitzero"`
	// Its pod.
	K8s K8s `json:"k8s,omitzero"`
}

// Network is the connection's tuple. IPv4-mapped IPv6 addresses are IPv4.
type Network struct {
	// This end.
	Local Endpoint `json:"local,omitzero"`
	// The other end.
	Peer Endpoint `json:"peer,omitzero"`
	// Inode number of the network namespace (Linux).
	NetNS uint32 `json:"netns,omitzero"`
}

// Endpoint is an address and port.
type Endpoint struct {
	// IPv4 or IPv6 address; IPv4-mapped addresses are IPv4.
	Address netip.Addr `json:"address,omitzero"`
	// TCP port.
	Port uint16 `json:"port,omitzero"`
}

// AddrPort returns e as a [netip.AddrPort].
func (e Endpoint) AddrPort() netip.AddrPort { return netip.AddrPortFrom(e.Address, e.Port) }

// Process is the process that owned the socket: the one that Source saw with
// it. After fork or descriptor passing several may hold it; then the first
// that used it.
type Process struct {
	// Process ID.
	PID int `json:"pid,omitzero"`
	// When it started; distinguishes processes that had the same PID.
	StartTime Time `json:"start_time,omitzero"`
	// Its name.
	Name string `json:"name,omitzero"`
	// The Windows services that it runs, with a comma between.
	Service string `json:"service,omitzero"`
	// Its program file.
	Executable Executable `json:"executable,omitzero"`
	// What an interpreter runs: the script, module, class or archive that its arguments name.
	Script string `json:"script,omitzero"`
	// Its real user.
	User User `json:"user,omitzero"`
	// How the owner was learnt.
	Source OwnerSource `json:"source,omitzero"`
	// Its arguments; only when asked for.
	CommandLine string `json:"command_line,omitzero"`
}

// Executable is a process's program file.
type Executable struct {
	// Path of the file.
	Path string `json:"path,omitzero"`
}

// User is a process's real user.
type User struct {
	// User ID.
	ID Opt[uint32] `json:"id,omitzero"`
	// User name.
	Name string `json:"name,omitzero"`
}

// Closer is the process whose call ended this side, if one did.
type Closer struct {
	// Process ID.
	PID int `json:"pid,omitzero"`
	// Thread ID.
	TID int `json:"tid,omitzero"`
	// Name of the thread.
	Name string `json:"name,omitzero"`
	// What it called. If another thread was in a call on the socket at close(), that one lets go
	// of it last, and close is said of it (Linux: fput).
	Call Call `json:"call,omitzero"`
	// The signal that killed it, if call is exit.
	Signal int `json:"signal,omitzero"`
	// Whether the OOM killer has killed in its memory control group just then: the oom_kill
	// counter of memory.events, or of memory.oom_control (cgroup v1), moved. Asked after SIGKILL only.
	OOM Opt[bool] `json:"oom_killed,omitzero"`
}

// Signalled is what another process told a process to end by. The process may have handled it,
// and closed its connections by itself.
type Signalled struct {
	// Its number.
	Number int `json:"number,omitzero"`
	// When it was sent.
	Time Time `json:"time,omitzero"`
	// The process that sent it, also by ending as a container's init; absent if the kernel
	// did: a timer, the terminal, the OOM killer.
	PID int `json:"pid,omitzero"`
	// The name of its thread.
	Name string `json:"name,omitzero"`
}

// Container is the owner's container; K8s its pod; Cgroup its control group;
// Systemd its unit. They are empty where there is none or it can't be seen.
type Container struct {
	// Container ID.
	ID string `json:"id,omitzero"`
	// Its runtime.
	Runtime string `json:"runtime,omitzero"`
	// Its name.
	Name string `json:"name,omitzero"`
}

// K8s is the owner's pod.
type K8s struct {
	// The pod.
	Pod Pod `json:"pod,omitzero"`
	// Its namespace.
	Namespace Namespace `json:"namespace,omitzero"`
	// Its container.
	Container Named `json:"container,omitzero"`
}

// Pod is a Kubernetes pod.
type Pod struct {
	// Its UID.
	UID string `json:"uid,omitzero"`
	// Its name.
	Name string `json:"name,omitzero"`
}

// Namespace is a Kubernetes namespace.
type Namespace struct {
	// Name of the namespace.
	Name string `json:"name,omitzero"`
}

// Named is a thing of which only the name is known.
type Named struct {
	// Name in the pod's specification.
	Name string `json:"name,omitzero"`
}

// Cgroup is a control group (version 2), as a path below its mount.
type Cgroup struct {
	// Path below the mount of cgroup 2.
	Path string `json:"path,omitzero"`
	// A user other than root could have made the end of the path: container, pod and
	// unit that it names are inferred, and nobody else confirms them.
	Delegated bool `json:"delegated,omitzero"`
}

// Systemd is a systemd unit.
type Systemd struct {
	// Name of the unit.
	Unit string `json:"unit,omitzero"`
}

// TCP is what the protocol did.
type TCP struct {
	// Who opened the connection: active is this end.
	Role Role `json:"role,omitzero"`
	// States that were passed, oldest first.
	Path Path `json:"path,omitzero"`
	// The socket's error at the end, by its POSIX name.
	Error string `json:"error,omitzero"`
	// In which directions a FIN was seen.
	FIN FIN `json:"fin,omitzero"`
	// In which directions a reset was seen.
	RST RST `json:"rst,omitzero"`
	// Payload; SYN and FIN are not in it.
	Bytes Bytes `json:"bytes,omitzero"`
	// Segments sent again in the whole life.
	Retransmits Opt[uint32] `json:"retransmits,omitzero"`
	// Smoothed round-trip time.
	SRTT Opt[time.Duration] `json:"srtt_ns,omitzero"`
	// When data was last sent before this end began to close; up to one jiffy off (Linux).
	// Where retransmissions were going on: the first of them.
	//
	// A jiffy is 1 to 10 ms.
	LastSent Time `json:"last_sent_time,omitzero"`
	// When data was last received before this end began to close; up to one jiffy off
	// (Linux).
	LastReceived Time `json:"last_received_time,omitzero"`
	// Age of the younger of both at the close, the first FIN or the RST.
	Idle Opt[time.Duration] `json:"idle_ns,omitzero"`
	// Who sent the last data.
	//
	// If it is the peer and this end closed, a request is unanswered; if it is this
	// end, it has asked and got no answer.
	LastSpeaker Side `json:"last_speaker,omitzero"`
	// How long after this end began to close data of the peer still came; absent if none did.
	//
	// A request that comes so late is read by nobody (Apache and lighttpd close their sending
	// side and throw away what comes). Linux; up to one jiffy off, modulo 65,536 jiffies.
	LateData Opt[time.Duration] `json:"late_data_ns,omitzero"`
	// TCP segments.
	Segments Segments `json:"segments,omitzero"`
	// How long the oldest unacknowledged byte had waited at the end.
	UnackedWait Opt[time.Duration] `json:"unacked_wait_ns,omitzero"`
	// Payload of a full-size segment that this end sends.
	MSS Opt[uint32] `json:"mss,omitzero"`
	// Path MTU that this end knows.
	PMTU Opt[uint32] `json:"pmtu,omitzero"`
	// Bytes that the peer would take at the end: the receive window that it announced
	// last; 0 is a closed one (Linux).
	PeerWindow Opt[uint32] `json:"peer_window,omitzero"`
	// Whether a segment as large as mss was ever acknowledged; absent if none was sent.
	FullSizeAcked Opt[bool] `json:"full_size_acked,omitzero"`
	// How long sending was held up, as TCP counts it (Linux).
	Limited Limited `json:"limited,omitzero"`
	// Accepted by a SYN cookie: the queue of half-open connections was full (Linux). Not
	// filled in yet: no field of the socket says so. The counters have SyncookiesRecv.
	SYNCookie Opt[bool] `json:"syn_cookie,omitzero"`
	// Data in the SYN was acknowledged: TCP Fast Open (Linux).
	FastOpen Opt[bool] `json:"fast_open,omitzero" usual:"false"`
	// The two initial sequence numbers, the lower one first: the same at both ends,
	// whatever address translation is between them.
	Fingerprint Fingerprint `json:"fingerprint,omitzero"`
	// Whether the tuple went on into TIME_WAIT; absent where as many are there as
	// net.ipv4.tcp_max_tw_buckets allows.
	TimeWait Opt[bool] `json:"time_wait,omitzero"`
	// Both ends are on this host.
	//
	// They have the same or a loopback address.
	Loopback bool `json:"loopback,omitzero"`
	// The connection is older than the trace.
	Preexisting bool `json:"preexisting,omitzero"`
}

// FIN says in which directions a FIN was seen.
type FIN struct {
	// By this end.
	Sent Opt[bool] `json:"sent,omitzero"`
	// By the other end.
	Received Opt[bool] `json:"received,omitzero"`
}

// RST says in which directions a reset was seen.
type RST struct {
	// By this end's TCP; a firewall of its host may have dropped it.
	//
	// The peer then waits for it in vain.
	Sent Opt[bool] `json:"sent,omitzero"`
	// By the other end.
	Received Opt[bool] `json:"received,omitzero"`
	// The platform's reason of a sent reset (Linux 6.10 and later).
	//
	// On Linux the name of enum sk_rst_reason without its prefix SK_RST_REASON_.
	Reason string `json:"reason,omitzero"`
}

// Bytes counts payload. SYN and FIN are not in it.
type Bytes struct {
	// Acknowledged by the peer.
	Sent Opt[uint64] `json:"sent,omitzero"`
	// Came in, in order.
	Received Opt[uint64] `json:"received,omitzero"`
	// Written by the application and never sent.
	Unsent Opt[uint64] `json:"unsent,omitzero"`
	// Written and never acknowledged, unsent included: lost on this side.
	Unacked Opt[uint64] `json:"unacked,omitzero"`
	// Received and thrown away.
	Unread Opt[uint64] `json:"unread,omitzero"`
	// Sent more than once; each time again counts.
	Retransmitted Opt[uint64] `json:"retransmitted,omitzero"`
}

// Lost returns the bytes that this end counts as lost: never acknowledged or never read.
// The peer may have those that were not acknowledged all the same.
func (b Bytes) Lost() uint64 { return b.Unacked.Or(0) + b.Unread.Or(0) }

// Linger is SO_LINGER when the socket was closed.
type Linger struct {
	// l_onoff.
	On Opt[bool] `json:"on,omitzero"`
	// l_linger; negative: close() waits without end (Linux: also reported for 2^32 jiffies and
	// more).
	Seconds Opt[int] `json:"seconds,omitzero"`
}
