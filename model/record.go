package model

import "time"

// Schema is the version of the record format. A reader takes every minor
// extension of it and refuses another number.
const Schema = "closetrace/1"

// Judgement is what Classify concludes from Facts.
type Judgement struct {
	Verdict    Verdict    `json:"verdict"`
	Cause      Cause      `json:"cause"`
	Initiator  Initiator  `json:"initiator"`
	Terminator Terminator `json:"terminator"`
	Confidence Confidence `json:"confidence"`
	// ConfidenceReason says what was not seen, if Confidence is Inferred.
	ConfidenceReason string `json:"confidence_reason,omitzero"`
	// Rule names the line of the table that decided.
	Rule string `json:"rule"`
	// CloseBlocked is how long close() waited because of SO_LINGER.
	CloseBlocked Opt[time.Duration] `json:"close_blocked_ns,omitzero"`
	// LingerOutcome goes into Linger.Outcome of the record.
	LingerOutcome LingerOutcome `json:"-"`
}

// Teardown is one connection end, judged.
type Teardown struct {
	Judgement
	Facts
}

// Judge classifies f and returns the teardown.
func Judge(f Facts) Teardown {
	t := Teardown{Judgement: Classify(&f), Facts: f}
	t.Linger.Outcome = t.LingerOutcome
	return t
}

// Event is what a back end reports: the facts of a connection end (kinds
// teardown, outcome and close-failed), a loss or counters.
type Event struct {
	Kind  Kind
	Facts Facts
	// Error is the error of a close-failed: WSAEWOULDBLOCK.
	Error    string
	Loss     Loss
	Counters Counters
}

// Loss says that events were dropped.
type Loss struct {
	Time Time `json:"-"`
	// Count is the number of events since the last Loss.
	Count uint64 `json:"count"`
	// Where names the place: ring-buffer (ends), late-evidence (what would have
	// been added to ends), connection-table, hook (events that the kernel did
	// not show to the programs, found out later), session, channel or file.
	Where string `json:"where"`
}

// Record is one line of a recording and one message to a screen. Kind says
// which of the other fields are set.
type Record struct {
	Kind Kind
	// Teardown is set for teardown, outcome and close-failed (facts only).
	Teardown Teardown
	// Retracts is set in an outcome that takes its teardown's verdict back.
	Retracts bool
	// Error is set for close-failed.
	Error    string
	Loss     Loss
	Counters Counters
	Start    Start
	Stop     Stop
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
	case KindUnknown, KindTeardown, KindOutcome, KindCloseFailed:
	}
	return r.Teardown.Time
}

// Start describes a trace; it is the first line of a recording.
type Start struct {
	Time Time `json:"-"`
	Tool Tool `json:"tool"`
	Host Host `json:"host,omitzero"`
	OS   OS   `json:"os,omitzero"`
	// Backend is fentry, kprobe, tracepoint, etw, etl or wire.
	Backend string `json:"backend"`
	Filter  string `json:"filter,omitzero"`
	BootID  string `json:"boot_id,omitzero"`
}

// Tool is the program that wrote the recording.
type Tool struct {
	Version string `json:"version"`
}

// Host is the traced machine.
type Host struct {
	Name string `json:"name,omitzero"`
}

// OS is its operating system; Version is the kernel's release.
type OS struct {
	Type    string `json:"type,omitzero"`
	Version string `json:"version,omitzero"`
}

// Stop is the last line of a recording.
type Stop struct {
	Time Time `json:"-"`
	// Teardowns counts the written teardowns by verdict name.
	Teardowns map[string]uint64 `json:"teardowns"`
	// Lost is the total of all losses.
	Lost uint64 `json:"lost"`
	// Reason is signal, duration, count, size, rotate, pipe, child-exit,
	// source-ended or error.
	Reason string `json:"reason"`
}
