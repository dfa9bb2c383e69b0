package model

import "time"

// Schema is the version of the record format. A reader takes every minor
// extension of it and refuses another number.
const Schema = "closetrace/1"

// Judgement is what Classify concludes from Facts. A name with a dot puts a member into
// that object of the facts.
type Judgement struct {
	// How the connection ended.
	Verdict Verdict `json:"verdict"`
	// Why it ended.
	Cause Cause `json:"cause"`
	// Who sent the first FIN or RST.
	Initiator Initiator `json:"initiator"`
	// Who ended it.
	Terminator Terminator `json:"terminator"`
	// certain, or inferred: something was not seen.
	Confidence Confidence `json:"confidence"`
	// What was not seen.
	ConfidenceReason string `json:"confidence_reason,omitzero"`
	// The line of the classifier's table that decided.
	Rule string `json:"rule"`
	// How long close() waited because of SO_LINGER.
	CloseBlocked Opt[time.Duration] `json:"close_blocked_ns,omitzero"`
	// Why the other end ended, peer_end.
	PeerCause Cause `json:"peer_cause,omitzero"`
	// How a close() that lingers went.
	LingerOutcome LingerOutcome `json:"linger.outcome,omitzero"`
}

// Teardown is one connection end, judged.
type Teardown struct {
	Judgement
	Facts
}

// Judge classifies f and returns the teardown.
func Judge(f Facts) Teardown {
	return Teardown{Judgement: Classify(&f), Facts: f}
}

// Event is what a back end reports: the facts of a connection end (kinds
// teardown, outcome and close-failed), resets without one, a loss or counters.
type Event struct {
	// Record has the facts, and no judgement yet but that of an other end that was judged
	// before: PeerCause.
	Record
	// Peer is what is known of an other end that was not, Facts.PeerEnd: TCP, Linger and
	// Evidence. The source may use its memory again for the next event.
	Peer *Facts
}

// NewEvent returns an event with facts.
func NewEvent(kind Kind, f Facts) Event {
	return Event{Record: Record{Kind: kind, Teardown: Teardown{Facts: f}}}
}

// Loss says that events were dropped.
type Loss struct {
	Time Time `json:"-"`
	// How many.
	Count uint64 `json:"count"`
	// ring-buffer (ends), late-evidence (what would have been added to ends),
	// connection-table, "detached" and the name of a program that somebody else has
	// detached (ends are inferred from then on), hook (events that the kernel did not show to the programs, found
	// out later), or of Windows: session and session-buffers (ETW), channel, file (what is
	// damaged), order (an event that came too late), payload (one that can't be read),
	// transition (a state that TCP does not have there), socket-table, thread-table.
	Where string `json:"where"`
	// Of connection-table: entries that the connections of this tenant have.
	Held uint64 `json:"held,omitzero"`
	// Of connection-table: entries that there are, --max-connections.
	Max uint64 `json:"max,omitzero"`
	// Of connection-table: the network namespace of the connections; absent for all
	// that a user has made, or of several tenants.
	NetNS uint32 `json:"netns,omitzero"`
	// Of connection-table: user ID of the sockets, or of who made their namespaces; absent
	// for a container, which counts as a whole. Of those from 65536 on the first of its
	// 65,536.
	UID Opt[uint32] `json:"uid,omitzero"`
}

// Losses are losses by what they cost.
type Losses struct {
	// Connection ends that are not in the file.
	Ends uint64 `json:"ends,omitzero"`
	// Ends that are told without what happened before.
	Less uint64 `json:"less,omitzero"`
	// Pieces of late evidence, which would have amended ends.
	Late uint64 `json:"late,omitzero"`
	// Others, of which nobody knows what they would have said.
	Events uint64 `json:"events,omitzero"`
}

// Add counts l.
func (s *Losses) Add(l *Loss) {
	switch l.Where {
	case "ring-buffer":
		s.Ends += l.Count
	case "connection-table":
		s.Less += l.Count
	case "late-evidence":
		s.Late += l.Count
	default:
		s.Events += l.Count
	}
}

// Plus returns the losses of both.
func (s Losses) Plus(o Losses) Losses {
	return Losses{s.Ends + o.Ends, s.Less + o.Less, s.Late + o.Late, s.Events + o.Events}
}

// Beyond returns what s has more than o.
func (s Losses) Beyond(o Losses) Losses {
	return Losses{s.Ends - min(s.Ends, o.Ends), s.Less - min(s.Less, o.Less), s.Late - min(s.Late, o.Late), s.Events - min(s.Events, o.Events)}
}

// Missing is how many records may be missing.
func (s *Losses) Missing() uint64 { return s.Ends + s.Events }

// Total is the sum of all.
func (s *Losses) Total() uint64 { return s.Ends + s.Less + s.Late + s.Events }

// Clock says that the wall clock was set, or that the machine slept. All that comes after
// it in the stream has times by the wall clock as it is now, also of what happened
// before; all that came before it has times by the clock as it was. Durations are of
// a clock that is neither set nor runs while the machine sleeps.
type Clock struct {
	Time Time `json:"-"`
	// How far the wall clock was set: back if negative.
	Step time.Duration `json:"step_ns,omitzero"`
	// How long the machine slept.
	Suspended time.Duration `json:"suspended_ns,omitzero"`
}

// Table says how full the table of the open connections that are followed is, and who
// has most of it: when it is half full, and again with each eighth, so that it can be
// made larger before a connection is refused. A tenant gets two thirds of it at most.
type Table struct {
	Time Time `json:"-"`
	// Open connections that are followed.
	Held uint64 `json:"held,omitzero"`
	// How many can be, --max-connections.
	Max uint64 `json:"max,omitzero"`
	// How many of them the tenant has who has most.
	Most uint64 `json:"most,omitzero"`
	// The network namespace of those; absent for all that a user has made.
	NetNS uint32 `json:"netns,omitzero"`
	// User ID of their sockets, or of who made their namespaces. Of those from 65536 on
	// the first of its 65,536.
	UID Opt[uint32] `json:"uid,omitzero"`
}

// Record is one line of a recording and one message to a screen. Kind says
// which of the other fields are set.
type Record struct {
	Kind Kind
	// Teardown is set for teardown, outcome, close-failed, stray-reset and counts (of the
	// last three facts only).
	Teardown Teardown
	// The verdict of the teardown is taken back.
	Retracts bool `json:"retracts,omitzero" kinds:"outcome"`
	// Error of the call, by its name: WSAEWOULDBLOCK.
	Error    string   `json:"error,omitzero" kinds:"close-failed"`
	Loss     Loss     `kinds:"loss"`
	Counters Counters `kinds:"counters"`
	Stray    Stray    `json:"stray" kinds:"stray-reset"`
	Clock    Clock    `kinds:"clock"`
	Table    Table    `kinds:"table"`
	Counted  Counted  `json:"counted" kinds:"counts"`
	Start    Start    `kinds:"start"`
	Stop     Stop     `kinds:"stop"`
}

// Time returns when the record happened.
func (r *Record) Time() Time {
	switch r.Kind {
	case KindStart:
		return r.Start.Time
	case KindStop:
		return r.Stop.Time
	case KindLoss:
		return r.Loss.Time
	case KindCounters:
		return r.Counters.Time
	case KindClock:
		return r.Clock.Time
	case KindTable:
		return r.Table.Time
	case KindUnknown, KindTeardown, KindOutcome, KindCloseFailed, KindStray, KindCounts:
	}
	return r.Teardown.Time
}

// Start describes a trace; it is the first line of a recording.
type Start struct {
	Time Time `json:"-"`
	// The program that wrote the recording.
	Tool Tool `json:"tool,omitzero"`
	// The traced machine.
	Host Host `json:"host,omitzero"`
	// Its operating system.
	OS OS `json:"os,omitzero"`
	// fentry, kprobe, tracepoint, raw, etw, etl or wire.
	Backend string `json:"backend"`
	// What is recorded, and nothing else: the filter expression, after the process or
	// command that is followed.
	Filter string `json:"filter,omitzero"`
	// Changes at each boot.
	BootID string `json:"boot_id,omitzero"`
}

// Captured reports whether it is of a packet capture, which has no processes and no calls,
// and may lack segments.
func (s *Start) Captured() bool { return s.Backend == "wire" }

// Tool is the program that wrote the recording.
type Tool struct {
	// Its version.
	Version string `json:"version"`
}

// Host is the traced machine.
type Host struct {
	// Its name.
	Name string `json:"name,omitzero"`
}

// OS is its operating system; Version is the kernel's release.
type OS struct {
	// linux, windows, or capture: one that does not say where it was taken.
	Type string `json:"type,omitzero"`
	// Release of the kernel.
	Version string `json:"version,omitzero"`
}

// Stop is the last line of a recording.
type Stop struct {
	Time Time `json:"-"`
	// Ends of this file by verdict, each once, under what its last line says.
	Teardowns map[string]uint64 `json:"teardowns"`
	// All losses that were counted, whatever they cost.
	Lost uint64 `json:"lost"`
	// The same by what they cost; absent in files of versions before it came.
	Losses Losses `json:"losses,omitzero"`
	// The table of connections when it was fullest, if it ever was half full.
	Table Table `json:"table,omitzero"`
	// signal, duration, count, size, rotate, child-exit, source-ended or error.
	Reason string `json:"reason"`
	// What the trace has cost this host until then (Linux).
	Cost Cost `json:"cost,omitzero"`
}

// Lose counts l.
func (s *Stop) Lose(l *Loss) {
	s.Lost += l.Count
	s.Losses.Add(l)
}

// Cost is what a trace has cost its host since it was opened.
type Cost struct {
	// How long it had run.
	Duration Opt[time.Duration] `json:"duration_ns,omitzero"`
	// Connection ends that the kernel handed over in that time, before the filter.
	Ends Opt[uint64] `json:"ends,omitzero"`
	// CPU time of closetrace and its helpers in that time, in user space and in the
	// kernel; what BPF programs took within other processes is not in it.
	CPU Opt[time.Duration] `json:"cpu_ns,omitzero"`
	// Run time of the BPF programs while the kernel measured it: their first 200,000 runs, in
	// the first minute. Absent where it did not: that takes CAP_SYS_ADMIN and Linux 5.8, and reading it in the
	// sandbox Linux 5.19.
	BPF Opt[time.Duration] `json:"bpf_ns,omitzero"`
	// How often they ran meanwhile.
	BPFRuns Opt[uint64] `json:"bpf_runs,omitzero"`
	// How long the kernel measured.
	BPFDuration Opt[time.Duration] `json:"bpf_duration_ns,omitzero"`
	// Ends of that time.
	BPFEnds Opt[uint64] `json:"bpf_ends,omitzero"`
	// Bytes that the kernel holds for the maps, the ring buffer included.
	Maps uint64 `json:"maps_bytes,omitzero"`
	// Bytes that closetrace holds for itself: RssAnon, without its program file, the ring
	// buffer and its helpers.
	Memory uint64 `json:"memory_bytes,omitzero"`
}
