package sockets

import (
	"cmp"
	"slices"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// Doom is what ends a connection, or keeps it from ending, if nothing changes and nobody
// does anything.
type Doom struct {
	// Cause is that of the teardown that would follow.
	Cause model.Cause `json:"cause,omitzero"`
	// Unanswered of Of retransmissions or probes were sent; Of is 0 where time decides.
	Unanswered int `json:"unanswered,omitzero"`
	Of         int `json:"of,omitzero"`
	// Silent is how long nothing was heard from the peer.
	Silent model.Opt[time.Duration] `json:"silent_ns,omitzero"`
	// Left is the time until the end; unknown for what has no end.
	Left model.Opt[time.Duration] `json:"left_ns,omitzero"`
	// Setting is what decides when: a sysctl or a socket option.
	Setting string `json:"setting,omitzero"`
	// Text says it all but the time of day.
	Text string `json:"text,omitzero"`
}

// String returns the sentence, which is what filters and tables see.
func (d Doom) String() string { return d.Text }

// Known reports whether the connection is dying.
func (d *Doom) Known() bool { return d.Text != "" }

// At returns the sentence with the time of day at which it ends.
func (d *Doom) At(now time.Time) string {
	left, known := d.Left.Get()
	if !known {
		return d.Text
	}
	text := d.Text + ", will end about " + now.Add(left).Format(time.TimeOnly)
	if d.Setting != "" {
		text += " (" + d.Setting + ")"
	}
	return text
}

// Limits are how long a silent peer is waited for.
type Limits struct {
	Retries2, KeepaliveProbes      int
	KeepaliveInterval, UserTimeout time.Duration
	// SYNRetries more SYNs back off, SYNLinear before them do not.
	SYNRetries, SYNLinear int
	// RTOMax is how long a timer that has backed off runs at most.
	RTOMax time.Duration
	// OrphanRetries and FinTimeout are of sockets that were closed. 0 retries are 8 as long as
	// the timer has not grown to RTOMax.
	OrphanRetries int
	FinTimeout    time.Duration
}

// defaults are those of the kernel.
func defaults() Limits {
	return Limits{
		Retries2: 15, KeepaliveProbes: 9, KeepaliveInterval: 75 * time.Second,
		SYNRetries: 6, RTOMax: 120 * time.Second, FinTimeout: time.Minute,
	}
}

const (
	// closeWaitLeast is from when CLOSE_WAIT is worth a word.
	closeWaitLeast = 10 * time.Second
	// timeWait is TCP_TIMEWAIT_LEN.
	timeWait = 60 * time.Second
)

// Doomed foretells the end of c, as the timers of Linux would make it.
func Doomed(c *Conn, l Limits) Doom {
	timer := &c.TCP.Timer
	switch {
	case c.Transport != "tcp", c.State == model.Listen, c.State == model.TimeWait:
		return Doom{}
	case c.TCP.TimeWait:
		return finWait2(timer.Expires)
	case c.State == model.SynSent && timer.Name == "on" && timer.Unanswered > 0:
		return connecting(c, &l)
	case timer.Name == "on" && timer.Unanswered > 1, timer.Name == "on" && c.Orphan && timer.Unanswered > 0:
		return retransmitting(c, &l)
	case timer.Name == "persist" && (timer.Unanswered > 1 || c.backoff > 0):
		return probing(c, &l)
	case timer.Name == "keepalive" && c.State == model.FinWait2 && c.Orphan:
		return finWait2(timer.Expires + l.secondFinWait2())
	case timer.Name == "keepalive" && timer.Unanswered > 0:
		return keepalive(c, &l)
	case c.State == model.CloseWait && c.Silent.Or(0) >= closeWaitLeast:
		return Doom{Silent: c.Silent, Text: "CLOSE_WAIT for " + human.Duration(c.Silent.Or(0))}
	default:
		return Doom{}
	}
}

// SortDoomed keeps the connections that are dying, the next to end first and those that
// have no end last, the oldest first.
func SortDoomed(all []Conn) []Conn {
	all = slices.DeleteFunc(all, func(c Conn) bool { return !c.Doom.Known() })
	slices.SortStableFunc(all, func(a, b Conn) int {
		never := time.Duration(1<<63 - 1)
		return cmp.Or(cmp.Compare(a.Doom.Left.Or(never), b.Doom.Left.Or(never)), cmp.Compare(b.Silent.Or(0), a.Silent.Or(0)))
	})
	return all
}
