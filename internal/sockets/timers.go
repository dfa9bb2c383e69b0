package sockets

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// The timers of net/ipv4/tcp_timer.c (5.10 to 6.18), played forward. Each fires at its time,
// and only then the kernel looks whether it has waited long enough: a limit that is missed by
// little costs one more wait, up to twice as long as the one before.

const (
	// rtoMin is TCP_RTO_MIN, the base of the kernel's model of backing off.
	rtoMin = 200 * time.Millisecond
	// rtoInit is TCP_TIMEOUT_INIT, that of a SYN.
	rtoInit = time.Second
	// mostSteps bounds what is played: no sysctl allows more retries.
	mostSteps = 256
)

// backedOff is first, doubled so many times.
func (l *Limits) backedOff(first time.Duration, times int) time.Duration {
	return min(first<<min(max(times, 0), 20), l.RTOMax)
}

// clamped is how long a timer runs that would run for rto: to the end of TCP_USER_TIMEOUT at
// most (tcp_clamp_rto_to_user_timeout, since 4.19).
func (l *Limits) clamped(rto, waited time.Duration) time.Duration {
	if l.UserTimeout == 0 {
		return rto
	}
	return min(rto, max(l.UserTimeout-waited, time.Millisecond))
}

// orphanRetries is tcp_orphan_retries(), but for ICMP errors, which inet_diag does not show.
func (l *Limits) orphanRetries(rto time.Duration) int {
	if l.OrphanRetries == 0 && rto < l.RTOMax {
		return 8
	}
	return l.OrphanRetries
}

// connecting follows tcp_write_timeout() in SYN_SENT. It has two limits: the number of SYNs,
// and how long tcp_syn_retries of them would take if each waited twice as long as the one
// before. As the first few wait one second each (tcp_syn_linear_timeouts, since 6.5), the
// second limit comes first where tcp_syn_retries is 1 or 2.
func connecting(c *Conn, l *Limits) Doom {
	n, most := int(c.TCP.Timer.Unanswered), l.SYNRetries+l.SYNLinear
	first := rtoInit
	if rto, known := c.TCP.RTO.Get(); known && rto < l.RTOMax { // a BPF program may choose another
		first = rto >> min(max(n-l.SYNLinear, 0), 20)
	}
	limit, setting := modelTimeout(l.SYNRetries, first, l.RTOMax), "tcp_syn_retries"
	if l.UserTimeout > 0 {
		limit, setting = l.UserTimeout, "TCP_USER_TIMEOUT"
	}
	at := time.Duration(0) // since the first SYN, when the timer fires
	for i := range n + 1 {
		at += l.backedOff(first, i-l.SYNLinear)
	}
	left := c.TCP.Timer.Expires
	for i := n; i < most && (i == 0 || at < limit); {
		i++
		wait := l.clamped(l.backedOff(first, i-l.SYNLinear), at)
		at, left = at+wait, left+wait
	}
	return Doom{
		Cause: model.CauseConnectTimeout, Unanswered: n, Of: most, Left: model.Some(left), Setting: setting,
		Text: fmt.Sprintf("%s of the SYN, no answer", plural(n, "retransmission")),
	}
}

// retransmitting follows retransmits_timed_out() and tcp_model_timeout().
func retransmitting(c *Conn, l *Limits) Doom {
	n, rto := int(c.TCP.Timer.Unanswered), c.TCP.RTO.Or(rtoMin)
	first := rto >> min(n, 30)
	if rto >= l.RTOMax { // it has been cut
		first = c.TCP.SRTT.Or(0) + max(rtoMin, 4*c.TCP.RTTVar.Or(0))
	}
	at, left := c.sentAge, c.TCP.Timer.Expires // at is since the first retransmission
	if c.TCP.Bytes.Unacked.Is(0) {             // a FIN alone does not count as sent (tcp_event_data_sent)
		at = max(0, rto-left)
	}
	for i := 1; i < n; i++ {
		at += l.backedOff(first, i)
	}
	at += left
	limit, setting, cause := l.lost(c, rto)
	for steps := 0; late(at) < limit && steps < mostSteps; steps++ {
		rto = min(2*rto, l.RTOMax)
		wait := l.clamped(rto, at)
		at, left = at+wait, left+wait
		limit, setting, cause = l.lost(c, rto)
	}
	return Doom{
		Cause: cause, Unanswered: n, Silent: c.Silent, Left: model.Some(left), Setting: setting,
		Text: plural(n, "retransmission") + heardNothing(c),
	}
}

// lost is how long data may be retransmitted, as the timer that ran for rto sees it.
func (l *Limits) lost(c *Conn, rto time.Duration) (time.Duration, string, model.Cause) {
	switch {
	case l.UserTimeout > 0:
		return l.UserTimeout, "TCP_USER_TIMEOUT", model.CauseUserTimeout
	case c.Orphan:
		return modelTimeout(l.orphanRetries(rto), rtoMin, l.RTOMax), "tcp_orphan_retries", model.CauseRetransmitTimeout
	default:
		return modelTimeout(l.Retries2, rtoMin, l.RTOMax), "tcp_retries2", model.CauseRetransmitTimeout
	}
}

// late adds what the kernel's timers come late on average: they are rounded up to up to
// an eighth of their time (kernel/time/timer.c).
func late(d time.Duration) time.Duration { return d + d/32 }

// modelTimeout is how long so many retransmissions take, the first after base.
func modelTimeout(retries int, base, rtoMax time.Duration) time.Duration {
	threshold := max(bits.Len(uint(rtoMax/base))-1, 0)
	if retries <= threshold {
		return (2<<retries - 1) * base
	}
	return (2<<threshold-1)*base + time.Duration(retries-threshold)*rtoMax
}

// probing follows tcp_probe_timer() and tcp_probe0_when(). A peer that answers each probe
// with a closed window is waited for without end, unless TCP_USER_TIMEOUT is set, or the
// socket is closed and its timer has grown to the most.
func probing(c *Conn, l *Limits) Doom {
	n, backoff, left := int(c.TCP.Timer.Unanswered), int(c.backoff), c.TCP.Timer.Expires
	base := max(c.TCP.RTO.Or(rtoMin), rtoMin)
	d := Doom{
		Cause: model.CauseZeroWindowTimeout, Unanswered: n, Of: l.Retries2, Silent: c.Silent, Setting: "tcp_retries2",
		Text: "window closed",
	}
	tries := "probes unanswered"
	if c.window.Or(0) >= max(c.TCP.MSS, 1) {
		// The same timer tries to send what could not leave (tcp_check_probe_timer).
		d.Cause, d.Text = model.CauseRetransmitTimeout, "nothing it sends leaves this host (a firewall here?)"
		tries = "tries failed"
	}
	waited, known := l.probed(c, base) // when the timer fires
	ends := func() bool {
		rto := l.backedOff(base, backoff)
		switch {
		case l.UserTimeout > 0 && known && waited >= l.UserTimeout:
			d.Cause, d.Of, d.Setting = model.CauseUserTimeout, 0, "TCP_USER_TIMEOUT"
			return true
		case c.Orphan:
			d.Of, d.Setting = l.orphanRetries(rto), "tcp_orphan_retries"
			return n >= d.Of || rto >= l.RTOMax && backoff >= d.Of
		}
		return n >= l.Retries2
	}
	answered := n <= 1 && backoff > n // each answer takes the count back to 0
	if n <= 1 && l.UserTimeout == 0 && (!answered || !c.Orphan) {
		return Doom{}
	}
	for steps := 0; !ends() && steps < mostSteps; steps++ {
		if backoff++; !answered {
			n++
		}
		wait := l.clamped(l.backedOff(base, min(backoff, l.Retries2)), waited)
		waited, left = waited+wait, left+wait
	}
	d.Left = model.Some(left)
	if d.Of > 0 && !answered {
		d.Text += fmt.Sprintf(", %d of %d %s", d.Unanswered, d.Of, tries)
	}
	d.Text += heardNothing(c)
	return d
}

// keepalive follows tcp_keepalive_timer(): TCP_USER_TIMEOUT takes the place of the number of
// probes.
func keepalive(c *Conn, l *Limits) Doom {
	n, left := int(c.TCP.Timer.Unanswered), c.TCP.Timer.Expires
	d := Doom{Cause: model.CauseKeepaliveTimeout, Unanswered: n, Silent: c.Silent}
	if l.UserTimeout > 0 {
		d.Setting = "TCP_USER_TIMEOUT"
		if short := l.UserTimeout - c.Silent.Or(0) - left; short > 0 && l.KeepaliveInterval > 0 {
			left += (short + l.KeepaliveInterval - 1) / l.KeepaliveInterval * l.KeepaliveInterval
		}
		d.Text = "keep-alive: " + plural(n, "probe") + " unanswered" + heardNothing(c)
	} else {
		d.Of = l.KeepaliveProbes
		left += time.Duration(max(d.Of-n, 0)) * l.KeepaliveInterval
		d.Text = fmt.Sprintf("keep-alive %d of %d unanswered", n, d.Of) + heardNothing(c)
	}
	d.Left = model.Some(left)
	return d
}

// probed is how long the window has been probed when the timer fires next.
func (l *Limits) probed(c *Conn, base time.Duration) (waited time.Duration, known bool) {
	if c.probing > 0 {
		return c.probing + c.TCP.Timer.Expires, true
	}
	for i := 1; i <= int(c.backoff); i++ {
		waited += l.backedOff(base, i)
	}
	return waited, int(c.backoff) < l.Retries2 // it is not counted further
}

// finWait2 is what is left of FIN_WAIT2 of a closed socket.
func finWait2(left time.Duration) Doom {
	return Doom{Cause: model.CauseFinWait2Timeout, Left: model.Some(left), Setting: "tcp_fin_timeout", Text: "FIN_WAIT2, the peer has not closed"}
}

// secondFinWait2 follows the first of the two waits that make up a tcp_fin_timeout of more
// than a minute: both are for what is more than it (tcp_close(), tcp_keepalive_timer()), so
// that 90 s are 30 s twice. After a shorter one the socket is reset.
func (l *Limits) secondFinWait2() time.Duration { return max(l.FinTimeout-timeWait, 0) }

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
