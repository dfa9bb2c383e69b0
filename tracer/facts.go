//go:build linux

package tracer

import (
	"math"
	"math/bits"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
)

// translator turns messages into facts.
type translator struct {
	clock   clock
	hertz   uint32           // CONFIG_HZ, or 0 if unknown
	reasons map[uint8]string // enum sk_rst_reason of this kernel, empty before 6.10
	names   names
	// Every ICMP error that reaches TCP is seen, by the version of IP.
	seesICMP4, seesICMP6 bool

	signals  *signals        // nil: unknown
	owners   *process.Owners // nil: only what the kernel's messages say
	known    map[bpf.TraceOwner]*described
	latest   latest
	lookedAt uint64 // when the last end came that let owners look for kills
}

// facts fills in f, which is empty, in place: it has 850 bytes.
func (t *translator) facts(f *model.Facts, e *bpf.TraceEnd) {
	f.Time = t.clock.time(ktime(e.Ended))
	f.Network = network(e.Family, &e.Local, &e.Peer, e.LocalPort, e.PeerPort, e.Netns)
	t.process(&f.Process, e)
	if e.Acceptor != 0 {
		f.Acceptor = model.Acceptor{PID: int(e.Acceptor), Name: t.names.of(e.AcceptorComm)}
	}
	t.closer(&f.Closer, e)
	t.signal(&f.Signalled, e)
	t.tcp(&f.TCP, e)
	t.talk(&f.TCP, e)
	f.TCP.Loopback = f.Network.Loopback()
	f.Linger = t.linger(e)
	if e.Started != 0 {
		f.StartTime = t.clock.time(ktime(e.Started))
		f.Duration = model.Some(time.Duration(e.Ended - e.Started))
	}
	t.evidence(&f.Evidence, e)
	t.describe(f, e)
}

func has(e *bpf.TraceEnd, flags bpf.TraceFlag) bool { return e.Flags&flags != 0 }

func network(family uint8, local, peer *[16]byte, localPort, peerPort uint16, netns uint32) model.Network {
	return model.Network{
		Local: model.Endpoint{Address: address(family, local), Port: localPort},
		Peer:  model.Endpoint{Address: address(family, peer), Port: peerPort},
		NetNS: netns,
	}
}

func address(family uint8, b *[16]byte) netip.Addr {
	switch family {
	case unix.AF_INET:
		return netip.AddrFrom4([4]byte(b[:4]))
	case unix.AF_INET6:
		return netip.AddrFrom16(*b).Unmap()
	default:
		return netip.Addr{}
	}
}

func (t *translator) process(p *model.Process, e *bpf.TraceEnd) {
	if e.Source == 0 || e.Owner.Tgid == 0 {
		return
	}
	p.PID = int(e.Owner.Tgid)
	p.StartTime = t.clock.bootTime(e.Owner.Start)
	p.Name = t.names.of(e.Owner.Comm)
	p.Source = model.OwnerSource(e.Source)
	if e.Owner.Start != 0 { // otherwise only the closer's name is known
		p.User.ID = model.Some(e.Owner.Uid)
	}
}

func (t *translator) closer(c *model.Closer, e *bpf.TraceEnd) {
	if e.Closer.Tgid == 0 || timedOutUnaccepted(e) {
		return
	}
	c.PID, c.TID = int(e.Closer.Tgid), int(e.Closer.Tid)
	c.Name = t.names.of(e.Closer.Comm)
	c.Call, c.Signal = model.Call(e.Call), int(e.Signal)
}

// path unpacks the states, which the kernel packs 4 bits each, the newest lowest.
func path(p *model.Path, packed uint64) {
	for shift := bits.Len64(packed) &^ 3; shift >= 0; shift -= 4 {
		if state := model.State(packed >> shift & 0xf); state != model.StateUnknown {
			p.Append(state)
		}
	}
}

// tcp fills in what a judgement needs, and more that costs nothing; the rest is talk's. It
// is filled in in place: a processor waits where it copies what it has just written.
func (t *translator) tcp(tcp *model.TCP, e *bpf.TraceEnd) {
	tcp.Role = role(e)
	path(&tcp.Path, e.Path)
	last := tcp.Path.Last()
	sent := sentRST(e)
	tcp.Error = errno(e.Error)
	tcp.FIN = fin(e, &tcp.Path)
	volume(&tcp.Bytes, e, last)
	tcp.Preexisting = has(e, bpf.TraceFlagFLAG_PREEXISTING)
	tcp.Retransmits = model.Some(e.Retransmits)
	if !has(e, bpf.TraceFlagFLAG_UNTRACKED) {
		tcp.RST.Sent = model.Some(sent)
		tcp.RST.Received = model.Some(has(e, bpf.TraceFlagFLAG_RST_RECEIVED) && !has(e, bpf.TraceFlagFLAG_RST_REPLY_AFTER))
	}
	if sent {
		tcp.RST.Reason = t.reasons[e.Reason]
	}
	if e.SrttUs != 0 { // the kernel keeps eight times the value, see tcp_rtt_estimator
		tcp.SRTT = model.Some(time.Duration(e.SrttUs>>3) * time.Microsecond)
	}
	if has(e, bpf.TraceFlagFLAG_ENDED) {
		tcp.TimeWait = leftTimeWait(e, last, sent)
	}
}

func sentRST(e *bpf.TraceEnd) bool {
	return has(e, bpf.TraceFlagFLAG_RST_SENT_BEFORE|bpf.TraceFlagFLAG_RST_SENT_AFTER|bpf.TraceFlagFLAG_RST_REPLY_AFTER)
}

// leftTimeWait: the kernel makes no more TIME_WAITs than tcp_max_tw_buckets allows. When
// there are that many it is not known whether this was the last one made.
func leftTimeWait(e *bpf.TraceEnd, last model.State, sent bool) model.Opt[bool] {
	wanted := (last == model.FinWait2 || last == model.Closing) && !sent && e.Error == 0
	if wanted && has(e, bpf.TraceFlagFLAG_TW_FULL) {
		return model.Opt[bool]{}
	}
	return model.Some(wanted)
}

func role(e *bpf.TraceEnd) model.Role {
	switch {
	case has(e, bpf.TraceFlagFLAG_ACTIVE):
		return model.Active
	case has(e, bpf.TraceFlagFLAG_PASSIVE):
		return model.Passive
	default:
		return model.RoleUnknown
	}
}

func errno(number uint8) string {
	if number == 0 {
		return ""
	}
	return unix.ErrnoName(unix.Errno(number))
}

// fin returns what is known of both FINs. A peer's FIN that comes after the hand-over to
// a TIME_WAIT minisock (tcp_time_wait) is not seen.
func fin(e *bpf.TraceEnd, p *model.Path) model.FIN {
	var f model.FIN
	queued := p.Has(model.FinWait1) || p.Has(model.FinWait2) || p.Has(model.Closing) || p.Has(model.LastAck)
	stillQueued := has(e, bpf.TraceFlagFLAG_FIN_UNSENT) && p.Last() != model.FinWait2
	if !queued || has(e, bpf.TraceFlagFLAG_ENDED) { // while close() waits, it may be queued behind data
		f.Sent = model.Some(queued && !stillQueued)
	}
	switch {
	case has(e, bpf.TraceFlagFLAG_DONE), p.Has(model.CloseWait), p.Has(model.Closing), p.Has(model.LastAck):
		f.Received = model.Some(true)
	case p.Last() == model.FinWait2:
	default:
		f.Received = model.Some(false)
	}
	return f
}

// volume counts payload: the kernel's counters include the SYN of an active
// open and both FINs, which take a sequence number each.
func volume(b *model.Bytes, e *bpf.TraceEnd, last model.State) {
	if !wiped(e) {
		b.Unsent, b.Unacked = model.Some(uint64(e.Unsent)), model.Some(uint64(e.Unacked))
	}
	if !has(e, bpf.TraceFlagFLAG_ENDED) {
		return
	}
	received := e.BytesReceived
	if has(e, bpf.TraceFlagFLAG_DONE) && received > 0 {
		received--
	}
	b.Received = model.Some(received)
	if has(e, bpf.TraceFlagFLAG_ACTIVE|bpf.TraceFlagFLAG_PASSIVE) {
		b.Sent = model.Some(acknowledged(e, last))
	}
	if has(e, bpf.TraceFlagFLAG_DEAD|flagDescriptorClosed) || closing(e) || neverAccepted(e) ||
		model.Call(e.Call) == model.CallDisconnect {
		b.Unread = model.Some(uint64(e.Unread))
	}
}

// wiped: ->CLOSE was not shown, and what was read later had been reset by
// tcp_disconnect(): no peer, and meaningless sequence numbers.
func wiped(e *bpf.TraceEnd) bool {
	return has(e, bpf.TraceFlagFLAG_UNTRACKED) && e.PeerPort == 0
}

func acknowledged(e *bpf.TraceEnd, last model.State) uint64 {
	control := uint64(0)
	if has(e, bpf.TraceFlagFLAG_ACTIVE) {
		control++
	}
	switch last {
	case model.FinWait2, model.TimeWait:
		control++
	case model.LastAck, model.Closing:
		if has(e, bpf.TraceFlagFLAG_FIN_ACKED) {
			control++
		}
	default:
	}
	return e.BytesAcked - min(control, e.BytesAcked)
}

// closing: the end happened inside the close of the last descriptor, so that unread data
// is discarded.
func closing(e *bpf.TraceEnd) bool {
	return has(e, bpf.TraceFlagFLAG_OWNED) && e.Shutdown == 3 &&
		(model.Holder(e.Holder) == model.HolderClosing || model.Holder(e.Holder) == model.HolderKernel)
}

// neverAccepted: the listener was closed, so that no process can read any more.
func neverAccepted(e *bpf.TraceEnd) bool {
	return unaccepted(e) && (e.Error == 0 || has(e, bpf.TraceFlagFLAG_RST_SENT_AFTER))
}

// unaccepted: no process had a descriptor of it, nor its lock.
func unaccepted(e *bpf.TraceEnd) bool {
	return model.Holder(e.Holder) == model.HolderNone && !has(e, bpf.TraceFlagFLAG_OWNED)
}

// timedOutUnaccepted: a timer ended it in a listener's queue, on top of a thread that had closed a
// listener of its own before. inet_csk_listen_stop() sends a RST, after CLOSE.
func timedOutUnaccepted(e *bpf.TraceEnd) bool {
	return unaccepted(e) && e.Error != 0 && has(e, bpf.TraceFlagFLAG_ENDED) && !has(e, bpf.TraceFlagFLAG_DEAD|bpf.TraceFlagFLAG_RST_SENT_AFTER)
}

// forever is the SO_LINGER time of a close() that waits without end: the kernel treats
// every negative l_linger so (sk_setsockopt).
const forever = -1

func (t *translator) linger(e *bpf.TraceEnd) model.Linger {
	on := e.Linger != 0
	l := model.Linger{On: model.Some(on)}
	if !on {
		return l
	}
	switch {
	case e.Lingertime == 0:
		l.Seconds = model.Some(0)
	case e.Lingertime == math.MaxUint32: // saturated: 49 days or more
		l.Seconds = model.Some(forever)
	case t.hertz != 0:
		l.Seconds = model.Some(int((uint64(e.Lingertime) + uint64(t.hertz)/2) / uint64(t.hertz)))
	}
	return l
}
