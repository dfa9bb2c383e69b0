package findings

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// unknown is a duration or a count that the record does not have.
const unknown = -1

// end is what patterns read of one connection end. For an outcome it is the
// teardown's facts with the cause and time of the outcome.
type end struct {
	id    string
	mate  string // the id of the other end, as the source says
	time  model.Time
	began model.Time

	local, peer netip.AddrPort
	netns       uint32
	fingerprint model.Fingerprint

	process     string
	pid         int
	closer      string
	closerPID   int
	far         string // the process at the other end, if only that is known of it
	inherited   bool   // the owner is known only as the closer, and another process had accepted the connection
	signal      int
	oom         model.Opt[bool]
	told        int // the signal that the process got just before, and its sender
	toldBy      string
	toldPID     int
	tcpError    string
	rule        string
	cause       model.Cause
	verdict     model.Verdict
	initiator   model.Initiator
	role        model.Role
	call        model.Call
	last        model.State
	speaker     model.Side
	inferred    bool
	later       bool
	finIn       bool // a FIN of the peer was seen
	rstOut      bool // this end sent a RST
	rstKnown    bool
	closeWait   bool
	timeWait    bool
	between     bool // the other end, on this host, did not send the reset
	established bool
	fullSize    model.Opt[bool]

	sent, received, unread, unacked int64
	retransmits, resent, mss        int64 // segments, their bytes, and what a full one has
	segments                        int64 // that came
	duration, idle, blocked         time.Duration
	busy, receiverLimited, srtt     time.Duration
	late                            time.Duration // how long after it began to close data still came
	lastSent, lastReceived          model.Time
	firstFIN, closeTime             model.Time
	wentOn                          bool // data was sent after one side had begun to close

	other     *end // the other end of the connection, if it is on this host
	judged    bool
	counted   bool // as a connection
	explained bool // a pattern has taken it
	crowded   bool // it counts in a moment
	weak      bool // the pattern that has taken it is weak
	stray     bool // hit by a RST that was sent without a socket
	strayWhy  bool // and the kernel gave its reason; if not, a listener with a full queue may have sent it
	amended   bool // an outcome came before it was judged
	orphan    bool // an outcome whose end has not come

	links [indexes]link
}

func count[T uint32 | uint64](o model.Opt[T]) int64 {
	if n, known := o.Get(); known {
		return int64(min(uint64(n), 1<<62))
	}
	return unknown
}

// whole is n, or the largest number: a hostile recording's sums may be larger.
func whole(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// maxText bounds what is kept of a name or an id.
const maxText = 64

func short(s string) string {
	if len(s) > maxText {
		return strings.Clone(s[:maxText]) // not the whole text, whose length a hostile file chose
	}
	return s
}

func (e *end) fill(t *model.Teardown) {
	f := &t.Facts
	*e = end{
		id: short(t.ID), mate: short(t.PeerEnd), time: t.Time, began: t.StartTime,
		local: f.Network.Local.AddrPort(), peer: f.Network.Peer.AddrPort(),
		netns: f.Network.NetNS, fingerprint: f.TCP.Fingerprint,
		process: short(f.Process.Name), pid: f.Process.PID, closer: short(f.Closer.Name), closerPID: f.Closer.PID,
		far:       short(f.PeerProcess.Name),
		inherited: f.Process.Source == model.OwnerCloser && f.Acceptor.PID != 0 && f.Acceptor.PID != f.Process.PID,
		call:      f.Closer.Call, signal: f.Closer.Signal, oom: f.Closer.OOM,
		told: f.Signalled.Number, toldBy: short(f.Signalled.Name), toldPID: f.Signalled.PID,
		tcpError: f.TCP.Error, rule: t.Rule, cause: t.Cause, verdict: t.Verdict,
		initiator: t.Initiator, role: f.TCP.Role, last: f.TCP.Path.Last(), speaker: f.TCP.LastSpeaker,
		inferred: t.Confidence == model.Inferred, later: f.Evidence.Later,
		finIn: f.TCP.FIN.Received.Is(true), rstOut: f.TCP.RST.Sent.Is(true), rstKnown: f.TCP.RST.Sent.Known(),
		closeWait: f.TCP.Path.Has(model.CloseWait), established: f.TCP.Path.Has(model.Established),
		fullSize: f.TCP.FullSizeAcked, between: f.Evidence.PeerOpen || t.Rule == "reset-between", timeWait: f.TCP.TimeWait.Is(true),
		sent: count(f.TCP.Bytes.Sent), received: count(f.TCP.Bytes.Received),
		unread: count(f.TCP.Bytes.Unread), unacked: count(f.TCP.Bytes.Unacked),
		retransmits: count(f.TCP.Retransmits), resent: count(f.TCP.Bytes.Retransmitted), mss: count(f.TCP.MSS), segments: count(f.TCP.Segments.In),
		late: f.TCP.LateData.Or(unknown), duration: t.Duration.Or(unknown), idle: f.TCP.Idle.Or(unknown), blocked: t.CloseBlocked.Or(0),
		busy: f.TCP.Limited.Busy.Or(unknown), receiverLimited: f.TCP.Limited.Receiver.Or(unknown),
		srtt:     f.TCP.SRTT.Or(0),
		lastSent: f.TCP.LastSent, lastReceived: f.TCP.LastReceived,
		firstFIN: f.Evidence.FirstFIN, closeTime: f.Evidence.CloseTime, wentOn: f.Evidence.SentWhileClosing,
	}
	if e.cause == model.CauseUnreachable && e.tcpError == "" {
		e.tcpError = f.Evidence.SoftError // it came inside connect(), or is of a capture
	}
	if e.initiator == model.InitiatorBoth {
		e.initiator = model.InitiatorLocal // it closed, and did not know yet that the other end had
	}
	if e.signal == 0 && e.told != 0 && harmless(e.process, e.told) {
		e.told, e.toldBy, e.toldPID = 0, "", 0
	}
}

// amend takes over what an outcome says about the end whose facts e has.
func (e *end) amend(o *end) {
	e.time, e.cause, e.verdict, e.rule, e.later = o.time, o.cause, o.verdict, o.rule, true
	e.inferred = o.inferred
	e.rstOut, e.rstKnown = e.rstOut || o.rstOut, e.rstKnown || o.rstKnown
	if o.sent >= 0 {
		e.sent = o.sent
	}
	if o.unacked >= 0 {
		e.unacked = o.unacked
	}
	if e.process == "" {
		e.process, e.pid = o.process, o.pid
	}
}

// port is that of the service: the local port of an end that accepted.
func (e *end) port() uint16 {
	if e.passive() {
		return e.local.Port()
	}
	return e.peer.Port()
}

// passive: this end accepted. If the role was not seen, the end that connected has the
// ephemeral port, which is the higher one.
func (e *end) passive() bool {
	if e.role == model.RoleUnknown {
		return e.local.Port() < e.peer.Port()
	}
	return e.role == model.Passive
}

// gap is the idle time before the last message: how long the peer had been silent when
// this end last sent data, or the other way round.
func (e *end) gap() time.Duration {
	if e.lastSent == 0 || e.lastReceived == 0 {
		return unknown
	}
	if sending := e.lastSent.Sub(e.lastReceived); sending > 0 && e.busy >= sending/2 {
		return unknown // it has been sending all that time
	}
	return max(e.lastSent.Sub(e.lastReceived), e.lastReceived.Sub(e.lastSent))
}

// unanswered: the peer sent data last, and this end did not answer. It is also true of a
// peer that never got any answer.
func (e *end) unanswered() bool {
	return e.speaker == model.SidePeer || e.speaker == model.SideUnknown && e.received > 0 && !e.spoke()
}

// spoke: this end has sent data, whether or not it was acknowledged.
func (e *end) spoke() bool { return e.sent > 0 || e.unacked > 0 || e.lastSent != 0 }

func (e *end) exchanged() bool { return e.sent > 0 && e.received > 0 }
