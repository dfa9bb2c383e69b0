package wire

import (
	"strconv"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/flow"
)

// ended turns a connection that has ended into the facts of its ends. It is called
// again for a connection that had only seemed to have ended.
func (f *File) ended(c *flow.Conn) {
	for i := range c.Sides {
		if !concerns(c, i) || c.Late != 0 && i != c.Late-1 {
			continue
		}
		if !f.isLocal(c, i) {
			f.stats.Elsewhere++
			continue
		}
		if c.Sides[i].Told > 0 && confirms(c, i) {
			continue
		}
		seen := facts(c, i)
		if c.How == flow.Unanswered && f.directions.deaf(c) {
			unheard(c, &seen)
		}
		e := model.NewEvent(model.KindTeardown, seen)
		switch s := &c.Sides[i]; s.Told {
		case 0:
		case 1:
			e.Kind, e.Teardown.Evidence.Later = model.KindOutcome, true
		default: // there is one outcome at most
			continue
		}
		c.Sides[i].Told++
		f.setOwner(c, i, &e.Teardown.Facts)
		f.out = append(f.out, e)
	}
	f.losses()
}

// concerns reports whether side i has a connection that ended.
func concerns(c *flow.Conn, i int) bool {
	switch c.How {
	case flow.Open:
		return false
	case flow.Replaced: // the other had lost it
		return i != c.By
	case flow.Refused, flow.Cancelled, flow.Unanswered, flow.Unreachable:
		return i == c.Client // the other had no connection yet, or never
	case flow.Silent: // whether the other still has it is not known
		return i == c.By && (c.Opened != 0 || c.Midway())
	case flow.WasReset:
		return (wasReset(c, i) || didReset(c, i)) && !unopened(c, i)
	case flow.Finished:
	}
	return true
}

// unopened: side i is a server's whose client reset the connection before it had answered the
// SYN-ACK, as checks of HAProxy do: no application got it.
func unopened(c *flow.Conn, i int) bool {
	client := &c.Sides[max(c.Client, 0)]
	return c.Shown && i != c.Client && client.Bytes == 0 && client.RST.Fit == flow.FitsExactly
}

func (f *File) isLocal(c *flow.Conn, i int) bool {
	if len(f.options.Local) == 0 {
		return true
	}
	address := c.Endpoint(i).Addr().Unmap()
	for _, p := range f.options.Local {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// facts are those of side i.
func facts(c *flow.Conn, i int) model.Facts {
	s, peer := &c.Sides[i], &c.Sides[1-i]
	f := model.Facts{
		Time:    model.Time(c.Ended),
		ID:      id(c, i),
		Network: model.Network{Local: endpoint(c, i), Peer: endpoint(c, 1-i)},
		TCP: model.TCP{
			Role:     role(c, i),
			Path:     states(c, i),
			FIN:      model.FIN{Sent: model.Some(s.FIN != 0), Received: model.Some(peer.FIN != 0)},
			RST:      model.RST{Sent: model.Some(s.RST.Time != 0 && !forged(s)), Received: model.Some(peer.RST.Time != 0)},
			LastSent: model.Time(s.LastData), LastReceived: model.Time(peer.LastData),
			Segments:    model.Segments{In: model.Some(peer.Segments), Out: model.Some(s.Segments)},
			Retransmits: model.Some(uint32(min(s.Retransmits, 1<<32-1))),
			Preexisting: c.Midway(),
		},
	}
	f.TCP.Loopback = f.Network.Loopback()
	f.TCP.Bytes = model.Bytes{
		Sent: model.Some(s.Bytes - s.Unacked()), Received: model.Some(peer.Bytes - peer.Unacked()),
		Unacked: model.Some(s.Unacked()), Retransmitted: model.Some(s.Retransmitted),
	}
	if peer.Seen {
		f.TCP.PeerWindow = model.Some(peer.Window)
	}
	if oneWay(c) {
		oneSided(s, peer, &f.TCP)
	}
	f.TCP.Fingerprint = fingerprint(c)
	if size := c.Size(); size > 0 {
		f.TCP.MSS = model.Some(size)
	}
	if acked, sent := s.FullAcked(); sent && peer.Seen {
		f.TCP.FullSizeAcked = model.Some(acked)
	}
	if !c.Midway() {
		f.StartTime = model.Time(c.First)
		if c.Ended >= c.First { // else the clock was set back
			f.Duration = model.Some(f.Time.Sub(f.StartTime))
		}
	}
	conversation(c, i, &f)
	judgeable(c, i, &f)
	f.Evidence.Events = details(s, peer)
	return f
}

// fingerprint is that of c, 0 if not both SYNs were captured.
func fingerprint(c *flow.Conn) model.Fingerprint {
	a, b := &c.Sides[0], &c.Sides[1]
	if !a.HasISN || !b.HasISN {
		return 0
	}
	return model.NewFingerprint(a.ISN, b.ISN)
}

// conversation says who sent data last, and how long before the end began.
func conversation(c *flow.Conn, i int, f *model.Facts) {
	s, peer := &c.Sides[i], &c.Sides[1-i]
	heard := peer.LastData
	if late := s.RST.Late; s.RST.Time != 0 && late > 0 && peer.Unacked() >= late { // the RST was its answer to that
		heard = peer.Talked
		f.TCP.LastReceived = model.Time(heard)
	}
	last := max(s.LastData, heard)
	switch {
	case last == 0 || oneWay(c):
		return
	case s.LastData == last:
		f.TCP.LastSpeaker = model.SideLocal
	default:
		f.TCP.LastSpeaker = model.SidePeer
	}
	f.Evidence.FirstFIN = model.Time(first(s.FIN, peer.FIN))
	begun := first(s.FIN, peer.FIN, s.RST.Time, peer.RST.Time, c.Ended)
	if talked := max(s.Talked, peer.Talked); talked != 0 { // a request that came too late does not make it busy
		last = talked
	}
	f.TCP.Idle = model.Some(time.Duration(max(begun-last, 0)))
}

// first is the earliest of times that are known.
func first(times ...int64) (least int64) {
	for _, t := range times {
		if t != 0 && (least == 0 || t < least) {
			least = t
		}
	}
	return least
}

// id names an end: the client's, or that of the lower address, is a.
func id(c *flow.Conn, i int) string {
	side := "a"
	if i != max(c.Client, 0) {
		side = "b"
	}
	return "w" + strconv.FormatUint(c.Number, 16) + side
}

func endpoint(c *flow.Conn, i int) model.Endpoint {
	e := c.Endpoint(i)
	return model.Endpoint{Address: e.Addr().Unmap(), Port: e.Port()}
}

func role(c *flow.Conn, i int) model.Role {
	switch c.Client {
	case i:
		return model.Active
	case 1 - i:
		if c.Crossed {
			return model.Active
		}
		return model.Passive
	default:
		return model.RoleUnknown
	}
}

// states are those that side i went through (RFC 9293, figure 5).
func states(c *flow.Conn, i int) (p model.Path) {
	s, peer := &c.Sides[i], &c.Sides[1-i]
	switch role(c, i) {
	case model.Active:
		p.Append(model.SynSent)
	case model.Passive:
		p.Append(model.SynRecv)
	case model.RoleUnknown:
	}
	if c.Opened != 0 || c.Midway() {
		p.Append(model.Established)
	}
	finPath(s, peer, &p)
	p.Append(model.Closed)
	return p
}

// finPath appends the states of a close by FINs.
func finPath(s, peer *flow.Side, p *model.Path) {
	crossed := s.FIN != 0 && peer.FIN != 0 &&
		(s.FIN <= peer.FIN && (s.FINAcked == 0 || s.FINAcked > peer.FIN) || s.FIN > peer.FIN && (peer.FINAcked == 0 || peer.FINAcked > s.FIN))
	switch {
	case s.FIN == 0 && peer.FIN == 0:
	case crossed:
		p.Append(model.FinWait1)
		p.Append(model.Closing)
		if s.FINAcked != 0 {
			p.Append(model.TimeWait)
		}
	case s.FIN != 0 && (peer.FIN == 0 || s.FIN <= peer.FIN):
		p.Append(model.FinWait1)
		if s.FINAcked != 0 {
			p.Append(model.FinWait2)
		}
		if s.FINAcked != 0 && peer.FIN != 0 {
			p.Append(model.TimeWait)
		}
	default:
		p.Append(model.CloseWait)
		if s.FIN != 0 {
			p.Append(model.LastAck)
		}
	}
}
