package wire

import (
	"fmt"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/flow"
)

// forged: what sent a RST in the name of side s was not that side.
func forged(s *flow.Side) bool {
	return s.RST.Time != 0 && (s.RST.Outlived || s.Unlike(&s.RST).Between())
}

// wasReset: side i got a RST before it had sent one of its own.
func wasReset(c *flow.Conn, i int) bool {
	s, peer := &c.Sides[i], &c.Sides[1-i]
	own := s.RST.Time != 0 && !forged(s)
	return peer.RST.Time != 0 && (!own || peer.RST.Time < s.RST.Time)
}

// didReset: side i sent a RST, and before that got none.
func didReset(c *flow.Conn, i int) bool {
	s := &c.Sides[i]
	return s.RST.Time != 0 && !forged(s) && !wasReset(c, i)
}

// confirms: a RST changes nothing of what was said of side i when it was no longer heard. Its
// own, in answer, shows that it has no connection any more; the peer's comes too late for one
// that had given up probing.
func confirms(c *flow.Conn, i int) bool {
	s, peer := &c.Sides[i], &c.Sides[1-i]
	return c.How == flow.WasReset && (didReset(c, i) && s.RST.Reply && s.RST.Mute || wasReset(c, i) && s.Closed.Late(peer.RST.Time))
}

// judgeable says what was observed of how side i ended.
func judgeable(c *flow.Conn, i int, f *model.Facts) {
	s, peer, e := &c.Sides[i], &c.Sides[1-i], &f.Evidence
	switch c.How {
	case flow.Refused:
		f.TCP.RST.Received = model.Some(true)
		inferred(e, "a firewall on the way answers a SYN in the same way", model.ObservedRefused)
	case flow.Cancelled:
		inferred(e, "the SYN-ACK was answered with RST: the application had given up, or never sent the SYN", model.ObservedConnectCancelled)
	case flow.Unanswered:
		inferred(e, "the SYN is no longer sent: the stack gave up, or the application did", model.ObservedConnectTimeout)
	case flow.Unreachable:
		unreachable(c, e)
	case flow.Silent:
		silent(s, peer, e)
	case flow.Replaced:
		inferred(e, "a SYN of the peer for a new connection came while this one was open, and was accepted", model.ObservedPeerRestart)
	case flow.Finished:
		finished(c, s, peer, f)
	case flow.WasReset:
		if wasReset(c, i) {
			received(c, i, e)
		} else {
			sent(c, i, e)
		}
	case flow.Open:
	}
}

// unreachable: an ICMP error ended the attempt. Its name is what Linux makes of it
// (icmp_err_convert of net/ipv4/icmp.c, tab_unreach of net/ipv6/icmp.c).
func unreachable(c *flow.Conn, e *model.Evidence) {
	names := []string{"ENETUNREACH", "EHOSTUNREACH", "ENOPROTOOPT", "ECONNREFUSED", "", "EOPNOTSUPP", "ENETUNREACH", "EHOSTDOWN", "ENONET", "ENETUNREACH", "EHOSTUNREACH", "ENETUNREACH"}
	rest, exceeded := "EHOSTUNREACH", c.Error.Type == 11
	if c.Endpoint(c.Client).Addr().Is6() {
		names = []string{"ENETUNREACH", "EACCES", "EHOSTUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "EACCES", "EACCES"}
		rest, exceeded = "EPROTO", c.Error.Type == 3
	}
	switch {
	case exceeded:
		e.SoftError = "EHOSTUNREACH"
		inferred(e, "an ICMP error says that the SYN was too long on its way, as in a circle: Linux gives up, others may send it again", model.ObservedUnreachable)
		return
	case int(c.Error.Code) < len(names):
		e.SoftError = names[c.Error.Code]
	default:
		e.SoftError = rest
	}
	if !c.Error.Numbered {
		inferred(e, "of the ICMP error only addresses and ports were captured: it may be about an earlier attempt", model.ObservedUnreachable)
		return
	}
	e.Seen.Add(model.ObservedUnreachable)
}

// finished: both sides sent their FIN. Which was first, the states show.
func finished(c *flow.Conn, s, peer *flow.Side, f *model.Facts) {
	e := &f.Evidence
	if s.FINAcked != 0 {
		e.FINAcked = model.Some(true)
	}
	why := "the acknowledgement of the last FIN is not in the capture"
	switch {
	case c.Back:
		why = clockSetBack
	case s.FINReset:
		why = "the FIN was sent again after its acknowledgement, and answered with RST: that may not have arrived"
	case s.FINAcked != 0 && peer.FINAcked != 0:
		return
	}
	first := model.ObservedFINFirst // as the states have it, also if the FINs crossed: a rule reads them, too
	if f.TCP.Path.Last() == model.LastAck {
		first = model.ObservedFINSecond
	}
	inferred(e, why, first)
}

const clockSetBack = "the time stamps of the capture go back (reordercap sorts packets): they do not say what came first"

// silent: side s no longer got answers.
func silent(s, peer *flow.Side, e *model.Evidence) {
	switch {
	case s.Closed.Probes > 0 && s.Probes+s.Tries == 0:
		inferred(e, closed(s)+", and no more are sent", model.ObservedUserTimeout)
	case peer.Seen && peer.Window == 0:
		inferred(e, "probes of the closed window are no longer sent, and were not answered", model.ObservedZeroWindowTimeout)
	case s.Tries == 0:
		inferred(e, fmt.Sprintf("%d keepalive probes were not answered, and no more are sent", s.Probes), model.ObservedKeepaliveTimeout)
	default:
		inferred(e, unanswered(s.Tries, peer)+", and no more are sent", model.ObservedRetransmitTimeout)
	}
}

// closed says for how long s probed a window that stayed closed. If the other side
// answers, only TCP_USER_TIMEOUT ends that (tcp_probe_timer of Linux), or a limit of
// sockets that no process holds any more.
func closed(s *flow.Side) string {
	c := &s.Closed
	return fmt.Sprintf("the peer's window was closed: %d probes in %v were answered, then TCP_USER_TIMEOUT gave up, or the end of a process",
		c.Probes, time.Duration(c.Last-c.Since).Round(time.Millisecond))
}

// received: peer's RST ended the connection of s.
func received(c *flow.Conn, i int, e *model.Evidence) {
	s, peer := &c.Sides[i], &c.Sides[1-i]
	r := &peer.RST
	switch {
	case r.Outlived:
		inferred(e, "the peer went on sending after the RST: something between them sent it", model.ObservedResetBetween)
	case peer.Unlike(r).Between():
		inferred(e, unlike(peer, r)+": something between them sent it", model.ObservedResetBetween)
	case c.Again == 1-i:
		inferred(e, "a SYN of the peer for a new connection came before the RST: the peer had lost this one", model.ObservedRSTReceived)
	case s.Closed.Late(r.Time):
		inferred(e, closed(s)+"; the peer's RST came later", model.ObservedUserTimeout)
	default:
		why := doubtReceived(s, peer, r)
		switch {
		case c.Back:
			why = clockSetBack
		case c.Opened == 0 && c.Client == i:
			why = "this end had not answered the SYN-ACK: it may not have been open"
		case c.Shown:
			why = "the client's answer to the SYN-ACK is not in the capture"
		}
		if why != "" {
			inferred(e, why, model.ObservedRSTReceived)
		} else {
			e.Seen.Add(model.ObservedRSTReceived)
		}
	}
}

// unlike says what distinguishes a RST from its sender's other segments, with both
// values.
func unlike(s *flow.Side, r *flow.Reset) string {
	l, u := &s.Looks, s.Unlike(r)
	var all []string
	for _, x := range []struct {
		is   bool
		text string
	}{
		{u.TTL, fmt.Sprintf("the RST has TTL %d, the peer's other segments have %d", r.TTL, l.TTL)},
		{u.Interface && !u.TTL, "the RST has another TTL than the peer's other segments have on this interface"},
		{u.ID, fmt.Sprintf("the RST has IP ID %d, the segment before had %d", r.ID, l.IDs.Last)},
		{u.TS, fmt.Sprintf("the RST has time stamp %d, the segment before had %d", r.TS, l.TS)},
		{u.Window, fmt.Sprintf("the RST has window %d, the segment before had %d", r.Window, l.Window)},
		{u.NoTS, fmt.Sprintf("the RST has no time stamp, the segment before had %d", l.TS)},
		{u.NoID, fmt.Sprintf("the RST has IP ID 0, the segment before had %d", l.IDs.Last)},
	} {
		if x.is {
			all = append(all, x.text)
		}
	}
	return strings.Join(all, ", and ")
}

// doubtReceived says why it is not certain that peer sent r and s accepted it; "" if it
// is.
func doubtReceived(s, peer *flow.Side, r *flow.Reset) string {
	switch {
	case r.Fit == flow.FitsUnknown, peer.Looks.Count == 0:
		return "nothing else of the peer is in the capture to compare the RST with"
	case r.Fit == flow.FitsWindow:
		return "the RST is in the window and not the next number: a receiver that follows RFC 5961 asks again"
	case peer.Unlike(r).NoTS:
		return "the RST has no time stamp, the peer's other segments have: something between them may have sent it"
	case r.Unacked > 0, r.Probes > 0, r.AfterFIN && !r.FINAcked:
		return "this end had not acknowledged what came before the RST: it may have been gone"
	case s.Trying(r.Time):
		return "this end was still sending the same again: it may have given up before the RST came"
	case r.Unheard:
		return "this end went on sending after the RST: it may not have arrived, or not yet"
	case r.Damaged:
		return "the checksum of the RST is wrong, those of the peer's other segments are right: its receiver drops it"
	case r.Dropped:
		return "the capture says that the RST was dropped: whether this end ever got it is not known"
	case peer.Once():
		return "the RST was captured once, the peer's other segments on the way in and out: it may have been dropped there"
	case s.FIN != 0:
		return "this end had sent its FIN: after close() nobody notices the RST"
	case s.Lacking:
		return "the last that this end sent is not in the capture: it may have been its FIN"
	case r.Reply:
		return "the RST answers a segment: a firewall on the way answers in the same way"
	case !s.Looks.Near():
		return "the capture was taken before the last router on the way to this end: the RST may have been dropped behind it"
	default:
		return ""
	}
}

// sent: the RST of s ended its connection. Whether a call caused it, and which, is not
// visible.
func sent(c *flow.Conn, i int, e *model.Evidence) {
	s, peer := &c.Sides[i], &c.Sides[1-i]
	switch r := &s.RST; {
	case r.Reply && s.Closed.Probes > 0 && s.Closed.Late(r.Time):
		inferred(e, closed(s)+"; the RST answers the peer, later", model.ObservedUserTimeout)
	case r.Probes > 0 && peer.Window == 0:
		inferred(e, "the RST came after probes of the closed window that were not answered", model.ObservedZeroWindowTimeout)
	case r.Probes > 0:
		inferred(e, fmt.Sprintf("the RST came after %d keepalive probes that were not answered", r.Probes), model.ObservedKeepaliveTimeout)
	case r.Tries >= 2:
		inferred(e, unanswered(r.Tries, peer)+", then the RST was sent", model.ObservedRetransmitTimeout)
	case c.Again == i:
		inferred(e, "its SYN for a new connection came before the RST: it had lost this one", model.ObservedAbort)
	case r.AfterFIN && r.Late > 0:
		inferred(e, fmt.Sprintf("%d bytes came after the FIN, then the RST was sent: whether the socket was closed or shut down does not show", r.Late),
			model.ObservedAnsweredData, model.ObservedNoDescriptor)
	case r.Reply && r.Stuck >= 2 && r.Unacked > 0 && !r.AfterFIN: // what has closed may get data, too
		inferred(e, unanswered(r.Stuck, peer)+"; the RST answers the peer, later", model.ObservedRetransmitTimeout)
	case r.Reply:
		inferred(e, "the RST answers a segment: the socket was gone, or a firewall answered", model.ObservedAbort)
	default:
		inferred(e, "only the RST was seen: unread data, SO_LINGER 0, the end of a process and an administrator look alike", model.ObservedAbort)
	}
}

// inferred hands over what segments suggest.
func inferred(e *model.Evidence, why string, all ...model.Observation) {
	e.InferredWhy = why
	for _, o := range all {
		e.Inferred.Add(o)
	}
}
