package lab

import (
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Scenario is one script with its truth.
type Scenario struct {
	// Name is unique and in kebab case: unread-data-exit.
	Name string
	// Group is the kind of ending: graceful, unread, linger-zero, ...
	Group string
	// Needs names what a kernel may lack; [Result] says in Skipped why the
	// scenario could not be played. Empty for the basics.
	Needs []Feature

	quick bool
	run   func(*stage)
}

// Feature is something that not every Linux kernel offers.
type Feature string

// The features that scenarios need beyond plain TCP over IPv4.
const (
	SockDestroy  Feature = "sock-destroy" // CONFIG_INET_DIAG_DESTROY
	IPv6         Feature = "ipv6"
	MPTCP        Feature = "mptcp"
	KTLS         Feature = "ktls"
	IOURing      Feature = "io_uring"
	Tunnel       Feature = "tunnel" // a TUN device
	Firewall     Feature = "nf_tables"
	NAT          Feature = "nft_nat"        // address translation by nf_tables
	RTOMax       Feature = "tcp_rto_max_ms" // since 6.15
	GlobalSysctl Feature = "global-sysctl"  // a setting of the whole machine
)

// Quick returns about a dozen scenarios that show all verdicts in a few
// seconds: the demonstration.
func Quick() []Scenario {
	return slices.DeleteFunc(Scenarios(), func(s Scenario) bool { return !s.quick })
}

// Result is what came of one scenario.
type Result struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	// Skipped says why the scenario cannot be played on this machine.
	Skipped string `json:"skipped,omitzero"`
	// Differs says what the system did otherwise than its documentation has it;
	// the truths are those of what it did. Windows.
	Differs string `json:"differs,omitzero"`
	// Error says what went wrong in the lab itself; the rest is not to be
	// trusted then.
	Error string `json:"error,omitzero"`
	// NetNS is the inode number of the scenario's network namespace. It is not
	// used again while Run runs.
	NetNS uint32    `json:"netns"`
	Start time.Time `json:"start"`
	Stop  time.Time `json:"stop"`
	// Ends are the connection ends, in the order in which they ended where the
	// same tuple was used twice.
	Ends []End `json:"ends"`
	// Calls are the system calls of the actors in the order of their return.
	Calls []Call `json:"calls"`
	// Packets are the segments with SYN, FIN or RST that came in, in order.
	Packets []Packet `json:"packets"`
	// Counters are the changes of the namespace's Tcp and TcpExt counters.
	Counters map[string]uint64 `json:"counters"`
	// Strays are resets for connections that the kernel did not have.
	Strays []Stray `json:"strays,omitzero"`
	// Explained are changes of counters that belong to no end.
	Explained map[string]uint64 `json:"explained,omitzero"`
}

// End is one connection end of a scenario.
type End struct {
	// Label names the end in the script: a, b.
	Label string         `json:"label"`
	Local netip.AddrPort `json:"local"`
	Peer  netip.AddrPort `json:"peer"`
	Truth Truth          `json:"truth"`
	// Invisible says why a tracer cannot see this end, its Outcome where there is
	// one, or what caused it: what is reported then must not be certain. Empty for
	// nearly all.
	Invisible string `json:"invisible,omitzero"`
	// Hooked: what is Invisible is seen by hooks in the kernel's functions.
	Hooked bool `json:"hooked,omitzero"`
	// Deaf: segments to this end were dropped by a filter, so that what is on
	// the wire towards it says nothing.
	Deaf bool `json:"deaf,omitzero"`
	// Observed is what the [Observer] said before the end was closed; empty
	// where there is none, or where no descriptor of it was closed.
	Observed string `json:"observed,omitzero"`
	// Answered: after its end, the kernel answered for its tuple with RST, so
	// that RSTs of it and FINs to it on the wire say nothing.
	Answered bool `json:"answered,omitzero"`
	// Translated: what is on the wire has other addresses.
	Translated bool `json:"translated,omitzero"`
}

// Observer looks at a connection end, by its addresses, just before a call or
// the end of its process closes it, in the process and the namespace of the
// scenario. What it returns is the [End]'s Observed.
type Observer func(local, peer netip.AddrPort) string

// Truth is what really happened to a connection end. Fields with the zero
// value or an unknown [model.Opt] are not known and not compared, except
// Linger: there nothing means that close() did not wait.
type Truth struct {
	Verdict    model.Verdict    `json:"verdict"`
	Cause      model.Cause      `json:"cause"`
	Initiator  model.Initiator  `json:"initiator"`
	Terminator model.Terminator `json:"terminator"`
	// Between: neither end sent the RST. A tracer that does not find the other end open
	// says that the peer did.
	Between bool `json:"between,omitzero"`
	// From is the state that the connection ended from.
	From   model.State         `json:"from,omitzero"`
	Linger model.LingerOutcome `json:"linger,omitzero"`
	// Blocked is how long the close() took that waited because of SO_LINGER.
	Blocked model.Opt[time.Duration] `json:"blocked,omitzero"`
	// Late is how much of that the thread waited for a processor: as much earlier
	// its wait for the peer may have been over.
	Late time.Duration `json:"late,omitzero"`
	Role model.Role    `json:"role,omitzero"`
	// Owner is the actor that connected or accepted.
	Owner Party `json:"owner,omitzero"`
	// Acceptor is the actor that accepted, if Owner is the child that it forked for it.
	Acceptor Party `json:"acceptor,omitzero"`
	// Closer is the actor whose Call ended this side.
	Closer Party      `json:"closer,omitzero"`
	Call   model.Call `json:"call,omitzero"`
	// Signal killed the closer, if Call is exit.
	Signal int       `json:"signal,omitzero"`
	FIN    model.FIN `json:"fin,omitzero"`
	RST    model.RST `json:"rst,omitzero"`
	// TimeWait is whether a TIME_WAIT followed.
	TimeWait model.Opt[bool]   `json:"time_wait,omitzero"`
	Unread   model.Opt[uint64] `json:"unread,omitzero"`
	Unacked  model.Opt[uint64] `json:"unacked,omitzero"`
	// Counter is the TcpExt counter that this end moves, where it is not the
	// usual one of its cause; "-" for none.
	Counter string `json:"counter,omitzero"`
	// Outcome is what became of the connection after the verdict: an orphan
	// after an expired linger, a reset by TIME_WAIT.
	Outcome *Truth `json:"outcome,omitzero"`
}

// Party is a process with its name.
type Party struct {
	PID  int    `json:"pid,omitzero"`
	Name string `json:"name,omitzero"`
}

// Call is a system call of an actor.
type Call struct {
	Actor string `json:"actor"`
	Name  string `json:"name"`
	// Error is the name of its errno, or empty.
	Error string `json:"error,omitzero"`
	// Took is the time from its entry to its return.
	Took time.Duration `json:"took"`
	// Untold: that it failed is not traced on this system. Windows before 11.
	Untold bool `json:"untold,omitzero"`
}

// Packet is a segment that opens or closes.
type Packet struct {
	From netip.AddrPort `json:"from"`
	To   netip.AddrPort `json:"to"`
	SYN  bool           `json:"syn,omitzero"`
	FIN  bool           `json:"fin,omitzero"`
	RST  bool           `json:"rst,omitzero"`
	// Seq is the sequence number of a SYN.
	Seq uint32 `json:"seq,omitzero"`
	// Forged: the script sent it through a raw socket.
	Forged bool `json:"forged,omitzero"`
	// Far: it came through the device behind which the script plays the peer,
	// and not by lo.
	Far bool `json:"far,omitzero"`
}
