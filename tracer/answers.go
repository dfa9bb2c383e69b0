//go:build linux

package tracer

import (
	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// Whether the other end's host can have sent the reset that an end received, where that is
// this host: its kernel is then seen to send it, be it from a TIME_WAIT or for no socket at
// all. A firewall that answers in its place (nf_send_reset) is not.

const (
	// answersMax bounds how many of the last resets of that kind are remembered.
	answersMax = 1024
	// serversMax bounds how many servers of other network namespaces are.
	serversMax = 1024
)

// answers are the last resets that no full socket of this host sent.
type answers struct {
	// watched: this kernel and back end show all of them.
	watched bool
	ring    [answersMax]answer
	count   uint64
	losses  uint32 // of messages, as the last end told
	blind   ktime  // the last time when some may not have been seen
	servers map[service]server
}

type answer struct {
	tuple tuple
	at    ktime
}

// service is what a network namespace calls a server that is in another one.
type service struct {
	address [16]byte
	port    uint16
	netns   uint32
}

type server struct {
	netns uint32
	at    ktime
}

func newAnswers() answers { return answers{servers: map[service]server{}} }

func (s *answers) add(l *bpf.TraceLater) {
	n := tupleOf(l.Family, &l.Local, &l.Peer, l.LocalPort, l.PeerPort, l.Netns)
	s.ring[s.count%answersMax] = answer{n, ktime(l.Time)}
	s.count++
}

// blindAt: some that were sent before may not have been told.
func (s *answers) blindAt(at ktime) { s.blind = max(s.blind, at) }

// heard takes note of an end's count of losses.
func (s *answers) heard(e *bpf.TraceEnd) {
	if e.Lost != s.losses {
		s.losses = e.Lost
		s.blindAt(ktime(e.Ended))
	}
}

// none reports whether it is known that no such reset was sent in that time.
func (s *answers) none(from, to ktime, such func(tuple) bool) bool {
	from, to = from.add(-hold), to.add(hold)
	if !s.watched || s.blind >= from {
		return false
	}
	kept := min(s.count, answersMax)
	for back := uint64(1); back <= kept; back++ {
		a := &s.ring[(s.count-back)%answersMax]
		if a.at.add(hold) < from { // they come nearly in order
			return true
		}
		if a.at >= from && a.at <= to && such(a.tuple) {
			return false
		}
	}
	return s.count <= answersMax
}

// met remembers where a server is: e and o are both ends of a connection, the other one of
// them the server's, and nothing between them translates addresses.
func (s *answers) met(e, o *bpf.TraceEnd) {
	if !has(o, bpf.TraceFlagFLAG_PASSIVE) || e.Netns == o.Netns || (e.Flags|o.Flags)&strange != 0 || !mirrored(e, o) {
		return
	}
	n := endTuple(e)
	at := service{n.peer, n.peerPort, n.netns}
	if _, known := s.servers[at]; !known && len(s.servers) >= serversMax {
		clear(s.servers)
	}
	s.servers[at] = server{o.Netns, ktime(o.Ended)}
}

// mirrored: each end has the addresses and ports that the other one gives it.
func mirrored(a, b *bpf.TraceEnd) bool {
	return anywhere(endTuple(a)).reversed() == anywhere(endTuple(b))
}

// whoReset adds doubts about a reset that the peer seems to have sent: o is the other end,
// or nil.
func (a *assembler) whoReset(f *model.Facts, e, o *bpf.TraceEnd) {
	v := &f.Evidence
	if !f.TCP.RST.Received.Is(true) || v.RSTHere || v.MPTCP || v.Gap || v.RSTFlag.Is(false) {
		return
	}
	switch {
	case connecting(e):
		if a.nobodyRefused(f, e) {
			v.Inferred.Add(model.ObservedRefused)
			v.InferredWhy = "the server's address is on this host, whose TCP was not seen to refuse: a firewall may have, or another host by address translation"
		}
	case o != nil && a.hadClosed(e, o):
		v.InferredWhy = "the other end is on this host and had closed, and TCP here was not seen to send the RST: something between them did"
		if ktime(e.Ended) < ktime(o.Ended).add(timeWaitFor) {
			v.Inferred.Add(model.ObservedResetBetween)
		} else { // its port may be in use again
			v.Inferred.Add(model.ObservedRSTReceived)
		}
	}
}

// hadClosed: the other end has handed over to TIME_WAIT, and neither that nor a host without
// the socket has sent a reset since.
func (a *assembler) hadClosed(e, o *bpf.TraceEnd) bool {
	if sentRST(o) || has(o, bpf.TraceFlagFLAG_UNTRACKED) || o.Ended > e.Ended || !mirrored(e, o) {
		return false
	}
	var p model.Path
	path(&p, o.Path)
	wanted := anywhere(endTuple(o))
	return leftTimeWait(o, p.Last(), false).Is(true) && has(o, bpf.TraceFlagFLAG_ENDED) &&
		a.answers.none(ktime(o.Ended), ktime(e.Ended), func(n tuple) bool { return anywhere(n) == wanted })
}

// nobodyRefused: the server's address is on this host, and no kernel here sent a reset for
// the attempt, whatever NAT made of its addresses. A minisock's answer to a SYN is not told.
func (a *assembler) nobodyRefused(f *model.Facts, e *bpf.TraceEnd) bool {
	n, netns := endTuple(e), e.Netns
	if !f.Network.Loopback() {
		s, known := a.answers.servers[service{n.peer, n.peerPort, n.netns}]
		if !known || s.at.add(recentFor) < ktime(e.Ended) {
			return false
		}
		netns = s.netns
	}
	there := n.reversed()
	there.netns = netns
	if e.Started == 0 || a.recent.find(there, ktime(e.Ended)) != nil {
		return false
	}
	return a.answers.none(ktime(e.Started), ktime(e.Ended), func(sent tuple) bool {
		return sent.peerPort == n.localPort || sent.localPort == n.peerPort
	})
}

// seesAnswers: since 6.10 the tracepoint of resets is for all of them, before only programs
// at the functions see those without a full socket. A filter by address does not show those
// of another end.
func (t *Tracer) seesAnswers() bool {
	return !t.opts.Peer.IsValid() && (len(t.asm.reasons) > 0 ||
		t.loaded.runs("fentry_v4_send_reset", "kprobe_v4_send_reset") && t.loaded.runs("fentry_v6_send_reset", "kprobe_v6_send_reset"))
}

// strayBeyond is for resets without a socket that the kernel only counted.
func (a *assembler) strayBeyond(n uint64, at ktime) {
	a.strays.beyond(n, at)
	if n > 0 {
		a.answers.blindAt(at)
	}
}
