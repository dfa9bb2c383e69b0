package model

import "time"

// Evidence holds what [Classify] reads beyond the fields that a record shows
// anyway, under names that hold on every platform. It is the object "facts" of
// a line. Each field says which back end fills it.
type Evidence struct {
	// Owned: at the end a process held the socket's lock, so the end happened
	// in a system call and not in the network's context. Linux.
	Owned Opt[bool] `json:"owned,omitzero"`
	// Dead: no process held the socket any more at the end; an orphan. Linux.
	Dead Opt[bool] `json:"dead,omitzero"`
	// Descriptor is what referred to the socket at the end. Linux.
	Descriptor Holder `json:"descriptor,omitzero"`
	// Shutdown is the mask of closed directions at the end: 1 receive, 2 send. Linux.
	Shutdown Opt[uint8] `json:"shutdown,omitzero"`
	// FINAcked: everything we sent was acknowledged at the end, our FIN too. Linux.
	FINAcked Opt[bool] `json:"fin_acked,omitzero"`
	// SoftError is an ICMP error that did not end the connection by itself. Of an
	// attempt to connect, also one that the application has read since. Linux.
	SoftError string `json:"soft_error,omitzero"`
	// ICMPWatched: of an end while connecting, whether SoftError has every ICMP error
	// that came, or only what the application has not read. Linux.
	ICMPWatched Opt[bool] `json:"icmp_watched,omitzero"`
	// NoPort: connect() found no free local port, so that no SYN was sent. Linux.
	NoPort bool `json:"no_port,omitzero"`

	// RSTReceivedBefore: a reset was processed while the connection lived. On
	// Linux that also happens when data comes for a closed socket. Linux.
	RSTReceivedBefore bool `json:"rst_received_before,omitzero"`
	// RSTSentBefore: a reset of our own was sent while the connection lived. Linux.
	RSTSentBefore bool `json:"rst_sent_before,omitzero"`
	// RSTSentAfter: a reset of our own was sent just after the end. Linux.
	RSTSentAfter bool `json:"rst_sent_after,omitzero"`
	// RSTReplyAfter: a reset in answer to a segment was sent just after the end. Linux.
	RSTReplyAfter bool `json:"rst_reply_after,omitzero"`
	// RSTReplyTimeWait: a reset in answer to a segment was sent by the
	// TIME_WAIT that followed the end. Only in an outcome. Linux.
	RSTReplyTimeWait bool `json:"rst_reply_time_wait,omitzero"`
	// RSTFlag is whether the segment that was processed as a reset carried the
	// RST flag; unknown where the back end can't see segments. Linux, fentry.
	RSTFlag Opt[bool] `json:"rst_flag,omitzero"`
	// RSTHere: this host made the reset that was received: it came when what we sent
	// had failed to leave and nothing else was under way that the peer could answer,
	// or by lo from a peer that is not on this host. Linux.
	RSTHere bool `json:"rst_here,omitzero"`

	// TimerRetransmits and TimerProbes are the unanswered retransmissions and
	// probes since the last answer. Linux.
	TimerRetransmits Opt[uint32] `json:"timer_retransmits,omitzero"`
	TimerProbes      Opt[uint32] `json:"timer_probes,omitzero"`
	// WindowOpen: at the end the peer's window had room for what was not sent;
	// if probes count all the same, this host could not send. Linux.
	WindowOpen bool `json:"window_open,omitzero"`
	// UserTimeout is TCP_USER_TIMEOUT; 0 is off. Linux.
	UserTimeout Opt[time.Duration] `json:"user_timeout_ns,omitzero"`
	// Linger2 is TCP_LINGER2 in seconds; negative: no FIN_WAIT2 wait. Linux.
	Linger2 Opt[int32] `json:"linger2,omitzero"`
	// Keepalive is SO_KEEPALIVE. Linux.
	Keepalive Opt[bool] `json:"keepalive,omitzero"`
	// Repair is TCP_REPAIR. Linux.
	Repair bool `json:"repair,omitzero"`
	// MPTCP: the connection is a subflow of an MPTCP connection. Linux.
	MPTCP bool `json:"mptcp,omitzero"`

	Wait LingerWait `json:"linger_wait,omitzero"`

	// Notices is what the platform itself announced about the end. Windows.
	Notices Notices `json:"notices,omitzero"`
	// AbortReason is what the socket layer said of the abort. Windows.
	AbortReason AbortReason `json:"abort_reason,omitzero"`
	// AbortInClose: the abort was asked for inside the close call. Windows.
	AbortInClose Opt[bool] `json:"abort_in_close,omitzero"`
	// ProcessGone: the owner had exited when its socket was cleaned up. Windows.
	ProcessGone bool `json:"process_gone,omitzero"`
	// Events are the platform's own records behind these facts, for the
	// reader; Classify does not read them. Windows.
	Events []EventRef `json:"events,omitempty"`

	// FirstFIN and CloseTime are when the first FIN was sent or received and
	// when the close call began. Classify reads only whether there was a close.
	FirstFIN  Time `json:"first_fin_time,omitzero"`
	CloseTime Time `json:"close_time,omitzero"`

	// Gap: the source lost events around this end, so that what is not among
	// the facts may have happened all the same; or an event among them may be
	// another's.
	Gap bool `json:"gap,omitzero"`
	// Later: these facts came after the teardown of the same ID was reported.
	Later bool `json:"later,omitzero"`
}

// LingerWait is what was seen of a close() that waits because of SO_LINGER
// {1,N}. All durations count from the begin of that close().
type LingerWait struct {
	// Began: close() was entered with SO_LINGER {1,N>0} and something to wait for.
	Began bool `json:"began,omitzero"`
	// Exiting: the closing process is exiting, and the kernel does not wait.
	Exiting bool `json:"exiting,omitzero"`
	// Left is when the FIN was acknowledged or the connection ended.
	Left Opt[time.Duration] `json:"left_ns,omitzero"`
	// LeftDead: at Left nobody waited any more.
	LeftDead bool `json:"left_dead,omitzero"`
	// LeftOwned: at Left the socket was locked by the closing process.
	LeftOwned bool `json:"left_owned,omitzero"`
	// Waiting is the latest moment at which the closer was seen to wait.
	Waiting Opt[time.Duration] `json:"waiting_ns,omitzero"`
	// Orphaned is the earliest moment at which nobody waited any more.
	Orphaned Opt[time.Duration] `json:"orphaned_ns,omitzero"`
	// Returned is how long close() blocked, where its return is traced.
	Returned Opt[time.Duration] `json:"returned_ns,omitzero"`
	// TimerExpired: the back end's own timer of N seconds ran out, and nothing
	// had been heard of the connection.
	TimerExpired bool `json:"timer_expired,omitzero"`
}

// EventRef is one record of the platform: its number and, if it has one, its
// reason or status.
type EventRef struct {
	Provider string      `json:"provider"`
	ID       uint16      `json:"id"`
	Reason   Opt[uint32] `json:"reason,omitzero"`
}
