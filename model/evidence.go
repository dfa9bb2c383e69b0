package model

import "time"

// Evidence holds what [Observe] reads beyond the fields that a record shows
// anyway: raw facts, and observations that a source hands over. It is the object
// "facts" of a line. Each field says which back end fills it.
type Evidence struct {
	// At the end a process held the socket's lock (Linux).
	//
	// The end then happened in a system call and not in the network's context.
	Owned Opt[bool] `json:"owned,omitzero" usual:"false"`
	// At the end no process held the socket any more (Linux).
	Dead Opt[bool] `json:"dead,omitzero" usual:"true"`
	// What referred to the socket at the end (Linux).
	Descriptor Holder `json:"descriptor,omitzero" usual:"none"`
	// Closed directions at the end: 1 receive, 2 send (Linux).
	Shutdown Opt[uint8] `json:"shutdown,omitzero" usual:"3"`
	// Everything sent was acknowledged at the end, the FIN too (Linux).
	FINAcked Opt[bool] `json:"fin_acked,omitzero" usual:"true"`
	// An ICMP error that did not end the connection by itself; of an attempt to
	// connect, also one that the application has read since (Linux). Of a capture what Linux
	// makes of the ICMP error.
	SoftError string `json:"soft_error,omitzero"`
	// Of an end while connecting: soft_error has every ICMP error that came, and not only
	// what the application has not read (Linux).
	ICMPWatched Opt[bool] `json:"icmp_watched,omitzero"`
	// connect() found no free local port, so that no SYN was sent (Linux).
	NoPort bool `json:"no_port,omitzero"`

	// A reset was processed while the connection lived (Linux).
	//
	// On Linux that also happens when data comes for a closed socket.
	RSTReceivedBefore bool `json:"rst_received_before,omitzero"`
	// A reset was sent while the connection lived (Linux).
	RSTSentBefore bool `json:"rst_sent_before,omitzero"`
	// A reset was sent just after the end (Linux).
	RSTSentAfter bool `json:"rst_sent_after,omitzero"`
	// A reset in answer to a segment was sent just after the end (Linux).
	RSTReplyAfter bool `json:"rst_reply_after,omitzero"`
	// TIME_WAIT answered a segment with a reset (Linux).
	//
	// Only in an outcome.
	RSTReplyTimeWait bool `json:"rst_reply_time_wait,omitzero"`
	// Whether what was processed as a reset carried the RST flag (Linux, fentry).
	//
	// Unknown where the back end can't see segments.
	RSTFlag Opt[bool] `json:"rst_flag,omitzero"`
	// This host made the reset that was received, and not the peer: its firewall, or a
	// program with a raw socket (Linux).
	//
	// It came when what we sent had failed to leave and nothing else was under way that
	// the peer could answer, or by lo from a peer that is not on this host.
	RSTHere bool `json:"rst_here,omitzero"`

	// The other end is on this host, was still open when the reset came, and had sent
	// none (Linux).
	PeerOpen bool `json:"peer_open,omitzero"`

	// Unanswered retransmissions since the last answer (Linux).
	TimerRetransmits Opt[uint32] `json:"timer_retransmits,omitzero" usual:"0"`
	// Unanswered probes since the last answer (Linux).
	TimerProbes Opt[uint32] `json:"timer_probes,omitzero" usual:"0"`
	// The peer's window had room for what was not sent at the end (Linux).
	//
	// If probes count all the same, this host could not send.
	WindowOpen bool `json:"window_open,omitzero"`
	// Data was sent after this end or its peer had begun to close, retransmissions included (Linux).
	SentWhileClosing bool `json:"sent_while_closing,omitzero"`
	// TCP_USER_TIMEOUT; 0 is off (Linux).
	UserTimeout Opt[time.Duration] `json:"user_timeout_ns,omitzero" usual:"0"`
	// TCP_LINGER2 in seconds (Linux).
	//
	// Negative: no FIN_WAIT2 wait.
	Linger2 Opt[int32] `json:"linger2,omitzero" usual:"0"`
	// SO_KEEPALIVE (Linux).
	Keepalive Opt[bool] `json:"keepalive,omitzero" usual:"false"`
	// TCP_REPAIR (Linux).
	Repair bool `json:"repair,omitzero"`
	// A subflow of an MPTCP connection (Linux).
	MPTCP bool `json:"mptcp,omitzero"`

	// What was seen of a close() that waits; durations count from its begin.
	Wait LingerWait `json:"linger_wait,omitzero"`

	// What the source saw, where no other member says it (captures).
	Seen Observations `json:"observed,omitzero"`
	// What the platform announced about the end (Windows).
	Announced Observations `json:"notices,omitzero"`
	// What the source concluded from what it saw; a verdict that rests on it is inferred.
	Inferred Observations `json:"inferred,omitzero"`
	// Why what the source concluded is not certain (captures, Linux).
	InferredWhy string `json:"inferred_why,omitzero"`
	// What the socket layer said of its abort (Windows).
	AbortReason AbortReason `json:"abort_reason,omitzero"`
	// The abort was asked for inside the close call (Windows).
	AbortInClose Opt[bool] `json:"abort_in_close,omitzero"`
	// The owner had exited when its socket was cleaned up (Windows).
	ProcessGone bool `json:"process_gone,omitzero"`
	// The platform's own records behind these facts (Windows).
	//
	// For the reader; nothing judges by them.
	Events []EventRef `json:"events,omitempty"`

	// When the first FIN was sent or received.
	//
	// Of this and CloseTime, Observe reads only whether there was a close.
	FirstFIN Time `json:"first_fin_time,omitzero"`
	// When the close call began.
	CloseTime Time `json:"close_time,omitzero"`

	// The source lost events around this end.
	//
	// What is not among the facts may have happened all the same, and an event among
	// them may be another's.
	Gap bool `json:"gap,omitzero"`
	// How many events the trace lacks is not known: it was not closed, or was cut or
	// written over (Windows).
	//
	// Gap is then set, and no loss counts what is missing.
	Uncounted bool `json:"uncounted,omitzero"`
	// These facts came after the teardown was reported.
	Later bool `json:"later,omitzero"`
}

// LingerWait is what was seen of a close() that waits because of SO_LINGER
// {1,N}. All durations count from the begin of that close().
type LingerWait struct {
	// It was entered with SO_LINGER on and something to wait for.
	Began bool `json:"began,omitzero"`
	// The process is exiting, and the kernel does not wait.
	Exiting bool `json:"exiting,omitzero"`
	// When the FIN was acknowledged or the connection ended.
	Left Opt[time.Duration] `json:"left_ns,omitzero"`
	// Then nobody waited any more.
	LeftDead bool `json:"left_dead,omitzero"`
	// Then the closing process had the socket locked.
	LeftOwned bool `json:"left_owned,omitzero"`
	// The latest moment at which the closer was seen to wait.
	Waiting Opt[time.Duration] `json:"waiting_ns,omitzero"`
	// The earliest moment at which nobody waited.
	Orphaned Opt[time.Duration] `json:"orphaned_ns,omitzero"`
	// How long close() blocked, where its return is traced.
	Returned Opt[time.Duration] `json:"returned_ns,omitzero"`
	// The tracer's own timer ran out, and nothing had been heard.
	TimerExpired bool `json:"timer_expired,omitzero"`
}

// EventRef is one record of the platform: its number and, if it has one, its
// reason or status.
type EventRef struct {
	// Its provider.
	Provider string `json:"provider"`
	// Its number.
	ID uint16 `json:"id"`
	// Its reason or status.
	Reason Opt[uint32] `json:"reason,omitzero"`
}
