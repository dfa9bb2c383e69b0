package sockets

import (
	"cmp"
	"fmt"
	"math/bits"
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
	// Of the namespace, for all its sockets:
	OrphanRetries, SYNRetries, SYNLinear int
	RTOMax                               time.Duration
}

// defaults are those of the kernel.
func defaults() Limits {
	return Limits{
		Retries2: 15, KeepaliveProbes: 9, KeepaliveInterval: 75 * time.Second,
		OrphanRetries: 8, SYNRetries: 6, RTOMax: 120 * time.Second,
	}
}

const (
	// rtoMin is TCP_RTO_MIN, the base of the kernel's model of backing off.
	rtoMin = 200 * time.Millisecond
	// closeWaitLeast is from when CLOSE_WAIT is worth a word.
	closeWaitLeast = 10 * time.Second
	// timeWait is TCP_TIMEWAIT_LEN.
	timeWait = 60 * time.Second
)

// Doomed foretells the end of c, as the timers of Linux would make it
// (net/ipv4/tcp_timer.c, 5.10 to 6.18).
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
	case timer.Name == "persist" && timer.Unanswered > 1:
		return probing(c, &l)
	case timer.Name == "keepalive" && c.State == model.FinWait2 && c.Orphan:
		return finWait2(timer.Expires + timeWait) // the rest is that of a TIME_WAIT
	case timer.Name == "keepalive" && timer.Unanswered > 0:
		return keepalive(c, &l)
	case c.State == model.CloseWait && c.Silent.Or(0) >= closeWaitLeast:
		return Doom{Silent: c.Silent, Text: "CLOSE_WAIT for " + human.Duration(c.Silent.Or(0))}
	default:
		return Doom{}
	}
}

func finWait2(left time.Duration) Doom {
	return Doom{Cause: model.CauseFinWait2Timeout, Left: model.Some(left), Setting: "tcp_fin_timeout", Text: "FIN_WAIT2, the peer has not closed"}
}

// after is how long a timer that has backed off n times runs next.
func (l *Limits) after(rto time.Duration) time.Duration { return min(2*rto, l.RTOMax) }

func connecting(c *Conn, l *Limits) Doom {
	n, of := int(c.TCP.Timer.Unanswered), l.SYNRetries+l.SYNLinear
	left, rto := c.TCP.Timer.Expires, c.TCP.RTO.Or(time.Second)
	for i := n; i < of; i++ {
		if i >= l.SYNLinear {
			rto = l.after(rto)
		}
		left += rto
	}
	return Doom{
		Cause: model.CauseConnectTimeout, Unanswered: n, Of: of, Left: model.Some(left), Setting: "tcp_syn_retries",
		Text: fmt.Sprintf("%s of the SYN, no answer", plural(n, "retransmission")),
	}
}

// retransmitting follows retransmits_timed_out() and tcp_model_timeout().
func retransmitting(c *Conn, l *Limits) Doom {
	n, rto := int(c.TCP.Timer.Unanswered), c.TCP.RTO.Or(rtoMin)
	elapsed := c.sentAge // since the first retransmission
	first := rto >> min(n, 30)
	if rto >= l.RTOMax { // it has been cut
		first = c.TCP.SRTT.Or(0) + max(rtoMin, 4*c.TCP.RTTVar.Or(0))
	}
	for i := 1; i < n; i++ {
		elapsed += min(first<<min(i, 30), l.RTOMax)
	}
	limit, setting := modelTimeout(l.Retries2, l.RTOMax), "tcp_retries2"
	if c.Orphan {
		limit, setting = modelTimeout(l.OrphanRetries, l.RTOMax), "tcp_orphan_retries"
	}
	cause := model.CauseRetransmitTimeout
	if l.UserTimeout > 0 {
		limit, setting, cause = l.UserTimeout, "TCP_USER_TIMEOUT", model.CauseUserTimeout
	}
	left := c.TCP.Timer.Expires
	for steps := 0; late(elapsed+left) < limit && steps < 255; steps++ {
		rto = l.after(rto)
		left += rto
	}
	return Doom{
		Cause: cause, Unanswered: n, Silent: c.Silent, Left: model.Some(left), Setting: setting,
		Text: plural(n, "retransmission") + heardNothing(c),
	}
}

// late adds what the kernel's timers come late on average: they are rounded up to up to
// an eighth of their time (kernel/time/timer.c).
func late(d time.Duration) time.Duration { return d + d/32 }

// modelTimeout is how long so many retransmissions take, from the least RTO.
func modelTimeout(retries int, rtoMax time.Duration) time.Duration {
	threshold := bits.Len(uint(rtoMax/rtoMin)) - 1
	if retries <= threshold {
		return (2<<retries - 1) * rtoMin
	}
	return (2<<threshold-1)*rtoMin + time.Duration(retries-threshold)*rtoMax
}

// probing follows tcp_probe_timer() and tcp_probe0_when().
func probing(c *Conn, l *Limits) Doom {
	n, of, setting := int(c.TCP.Timer.Unanswered), l.Retries2, "tcp_retries2"
	if c.Orphan {
		of, setting = l.OrphanRetries, "tcp_orphan_retries"
	}
	when, left := c.TCP.RTO.Or(rtoMin)<<min(c.backoff, 20), c.TCP.Timer.Expires
	for i := n; i < of; i++ {
		when = l.after(when)
		left += when
	}
	return Doom{
		Cause: model.CauseZeroWindowTimeout, Unanswered: n, Of: of, Silent: c.Silent, Left: model.Some(left), Setting: setting,
		Text: fmt.Sprintf("window closed, %d of %d probes unanswered", n, of) + heardNothing(c),
	}
}

// keepalive follows tcp_keepalive_timer().
func keepalive(c *Conn, l *Limits) Doom {
	n, of := int(c.TCP.Timer.Unanswered), l.KeepaliveProbes
	left := c.TCP.Timer.Expires + time.Duration(max(of-n, 0))*l.KeepaliveInterval
	return Doom{
		Cause: model.CauseKeepaliveTimeout, Unanswered: n, Of: of, Silent: c.Silent, Left: model.Some(left),
		Text: fmt.Sprintf("keep-alive %d of %d unanswered", n, of) + heardNothing(c),
	}
}

func heardNothing(c *Conn) string {
	silent, known := c.Silent.Get()
	if !known {
		return ""
	}
	return ", nothing heard for " + human.Duration(silent)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
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
