//go:build linux

package tracer

import (
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

func (t *translator) evidence(v *model.Evidence, e *bpf.TraceEnd) {
	v.RSTReceivedBefore = has(e, bpf.TraceFlagFLAG_RST_RECEIVED)
	v.RSTSentBefore = has(e, bpf.TraceFlagFLAG_RST_SENT_BEFORE|bpf.TraceFlagFLAG_RST_TRIED)
	v.RSTSentAfter = has(e, bpf.TraceFlagFLAG_RST_SENT_AFTER)
	v.RSTReplyAfter = has(e, bpf.TraceFlagFLAG_RST_REPLY_AFTER)
	v.RSTHere = has(e, bpf.TraceFlagFLAG_RST_HERE)
	v.Repair = has(e, bpf.TraceFlagFLAG_REPAIR)
	v.MPTCP = has(e, bpf.TraceFlagFLAG_MPTCP)
	v.FirstFIN = t.clock.time(ktime(e.FirstFin))
	v.CloseTime = t.clock.time(ktime(e.CloseBegan))
	v.NoPort = has(e, bpf.TraceFlagFLAG_NO_PORT)
	v.Gap = has(e, bpf.TraceFlagFLAG_UNTRACKED)
	v.Wait = wait(e)
	if has(e, bpf.TraceFlagFLAG_RST_FLAG_SEEN) {
		v.RSTFlag = model.Some(has(e, bpf.TraceFlagFLAG_RST_FLAG_SET))
	}
	if has(e, bpf.TraceFlagFLAG_ENDED) {
		t.endEvidence(e, v)
	}
}

// endEvidence is what was read at ->CLOSE.
func (t *translator) endEvidence(e *bpf.TraceEnd, v *model.Evidence) {
	v.Owned = model.Some(has(e, bpf.TraceFlagFLAG_OWNED))
	v.Dead = model.Some(has(e, bpf.TraceFlagFLAG_DEAD))
	v.Descriptor = model.Holder(e.Holder)
	v.Shutdown = model.Some(e.Shutdown)
	v.FINAcked = model.Some(has(e, bpf.TraceFlagFLAG_FIN_ACKED))
	v.SoftError = softError(e)
	v.ICMPWatched = t.icmpWatched(e)
	v.TimerRetransmits = model.Some(uint32(e.TimerRetransmits))
	v.TimerProbes = model.Some(uint32(e.TimerProbes))
	v.WindowOpen = has(e, bpf.TraceFlagFLAG_WINDOW_OPEN)
	v.SentWhileClosing = e.LastWord&sentSince != 0 && has(e, bpf.TraceFlagFLAG_ENDED) && !wiped(e)
	v.UserTimeout = model.Some(time.Duration(e.UserTimeout) * time.Millisecond)
	v.Linger2 = model.Some(t.linger2(e.Linger2))
	v.Keepalive = model.Some(has(e, bpf.TraceFlagFLAG_KEEPALIVE))
}

// linger2 converts tcp_sock.linger2, in jiffies or negative, into seconds.
func (t *translator) linger2(jiffies int32) int32 {
	switch {
	case jiffies < 0:
		return -1
	case t.hertz == 0:
		return 0
	default:
		return jiffies / int32(t.hertz)
	}
}

func wait(e *bpf.TraceEnd) model.LingerWait {
	w := model.LingerWait{
		Began:   e.Lingering != 0,
		Exiting: e.Skipped != 0,
	}
	if !w.Began {
		return w
	}
	if has(e, bpf.TraceFlagFLAG_LEFT) {
		w.Left = model.Some(microseconds(e.LeftUs))
		w.LeftDead = has(e, bpf.TraceFlagFLAG_LEFT_DEAD)
		w.LeftOwned = has(e, bpf.TraceFlagFLAG_LEFT_OWNED)
	}
	w.Waiting = sample(e.WaitingUs)
	w.Orphaned = sample(e.OrphanedUs)
	if e.Returned != 0 {
		w.Returned = model.Some(microseconds(e.ReturnedUs))
	}
	return w
}

func microseconds(us uint32) time.Duration { return time.Duration(us) * time.Microsecond }

func sample(us uint32) model.Opt[time.Duration] {
	if us == 0 {
		return model.Opt[time.Duration]{}
	}
	return model.Some(microseconds(us))
}
