//go:build linux

package tracer

import (
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// The bits of last_word, bpf/record.h.
const (
	lastWord  = 1
	sentSince = 2
)

// talk fills in what was exchanged before the end, and how well it went.
func (t *translator) talk(tcp *model.TCP, e *bpf.TraceEnd) {
	if !has(e, bpf.TraceFlagFLAG_ENDED) || wiped(e) {
		return
	}
	tcp.Segments.In, tcp.Segments.Out = model.Some(uint64(e.SegsIn)), model.Some(uint64(e.SegsOut))
	tcp.Bytes.Retransmitted = model.Some(e.BytesRetrans)
	tcp.UnackedWait = unackedWait(e)
	t.lastWords(tcp, e)
	if model.State(e.Last) == model.SynSent { // nothing was agreed yet
		return
	}
	tcp.MSS = known(e.Mss)
	tcp.PMTU = known(e.Pmtu)
	tcp.PeerWindow = model.Some(e.PeerWindow)
	tcp.FastOpen = model.Some(e.SynData != 0)
	tcp.FullSizeAcked = fullSizeAcked(tcp, e)
	tcp.Fingerprint = fingerprint(e)
	if t.hertz != 0 {
		receiver, sender := t.jiffies(e.ReceiverLimited), t.jiffies(e.SenderLimited)
		tcp.Limited = model.Limited{
			Busy:     model.Some(t.jiffies(e.Busy) + receiver + sender),
			Receiver: model.Some(receiver), Sender: model.Some(sender),
		}
	}
}

func known(v uint32) model.Opt[uint32] {
	if v == 0 {
		return model.Opt[uint32]{}
	}
	return model.Some(v)
}

// jiffies converts a time of the kernel's, whose unit is known.
func (t *translator) jiffies(n uint32) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(t.hertz)
}

// lastWords: when data was last sent and received. lsndtime and lrcvtime begin as the
// time of the handshake, so that they count only if there was data. Retransmissions
// overwrite lsndtime; the time of the first one is then the best estimate of when the
// data was sent first.
func (t *translator) lastWords(tcp *model.TCP, e *bpf.TraceEnd) {
	if e.Quiet == 0 || t.hertz == 0 {
		return
	}
	sent, received := t.jiffies(e.SentAge), t.jiffies(e.ReceivedAge)
	sent = max(sent, time.Duration(e.StalledMs)*time.Millisecond)
	spoke, heard := e.BytesSent > 0, tcp.Bytes.Received.Or(0) > 0
	if spoke {
		tcp.LastSent = t.clock.time(ktime(e.Quiet).add(-sent))
	}
	if heard {
		tcp.LastReceived = t.clock.time(ktime(e.Quiet).add(-received))
	}
	if e.LateData != 0 && heard {
		tcp.LateData = model.Some(t.jiffies(uint32(e.LateData)))
	}
	jiffy := t.jiffies(1)
	switch {
	case spoke && heard:
		tcp.Idle = model.Some(min(sent, received))
		tcp.LastSpeaker = model.SidePeer
		if sent+jiffy < received || sent <= received+jiffy && e.LastWord&lastWord != 0 {
			tcp.LastSpeaker = model.SideLocal
		}
	case spoke:
		tcp.Idle, tcp.LastSpeaker = model.Some(sent), model.SideLocal
	case heard:
		tcp.Idle, tcp.LastSpeaker = model.Some(received), model.SidePeer
	}
}

func unackedWait(e *bpf.TraceEnd) model.Opt[time.Duration] {
	if e.UnackedMs == 0 || e.Unacked == 0 {
		return model.Opt[time.Duration]{}
	}
	return model.Some(time.Duration(e.UnackedMs) * time.Millisecond)
}

// fullSizeAcked: the kernel does not keep the sizes of acknowledged segments. At least
// one was of full size if the average is larger than any smaller size, and none was if
// all together had fewer bytes, while more are under way.
func fullSizeAcked(tcp *model.TCP, e *bpf.TraceEnd) model.Opt[bool] {
	acked, known := tcp.Bytes.Sent.Get()
	mss, underWay := uint64(e.Mss), uint64(e.Unacked)-min(uint64(e.Unsent), uint64(e.Unacked))
	switch {
	case !known || mss == 0:
		return model.Opt[bool]{}
	case e.Delivered > 0 && acked > uint64(e.Delivered)*(mss-1):
		return model.Some(true)
	case acked < mss && underWay >= mss:
		return model.Some(false)
	default:
		return model.Opt[bool]{}
	}
}

// fingerprint goes back from the next sequence numbers by what was counted since the
// initial ones: of the 64-bit counters only the lower half matters, so that it is right
// beyond 4 GiB. bytes_acked has the SYN of an active opener, and bytes_received has no
// SYN (tcp_snd_una_update, tcp_rcv_nxt_update). Whose SYN it was is not known of
// connections that are older than the trace.
func fingerprint(e *bpf.TraceEnd) model.Fingerprint {
	active, passive := has(e, bpf.TraceFlagFLAG_ACTIVE), has(e, bpf.TraceFlagFLAG_PASSIVE)
	if active == passive || has(e, bpf.TraceFlagFLAG_UNTRACKED|bpf.TraceFlagFLAG_REPAIR) || e.RcvNxt == 0 {
		return 0
	}
	local := e.SndUna - uint32(e.BytesAcked)
	if passive {
		local--
	}
	return model.NewFingerprint(local, e.RcvNxt-1-uint32(e.BytesReceived))
}
