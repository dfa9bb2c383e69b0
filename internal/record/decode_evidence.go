package record

import (
	"fmt"
	"math"

	"github.com/closetrace/closetrace/model"
)

func (d *Decoder) evidence(v *model.Evidence) {
	d.member = "facts"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "owned":
			d.optBool("facts.owned", &v.Owned)
		case "dead":
			d.optBool("facts.dead", &v.Dead)
		case "descriptor":
			d.name("facts.descriptor", &v.Descriptor)
		case "shutdown":
			optional(d, "facts.shutdown", &v.Shutdown, 0, math.MaxUint8)
		case "fin_acked":
			d.optBool("facts.fin_acked", &v.FINAcked)
		case "soft_error":
			d.str("facts.soft_error", &v.SoftError)
		case "icmp_watched":
			d.optBool("facts.icmp_watched", &v.ICMPWatched)
		case "no_port":
			d.bool("facts.no_port", &v.NoPort)
		case "rst_received_before":
			d.bool("facts.rst_received_before", &v.RSTReceivedBefore)
		case "rst_sent_before":
			d.bool("facts.rst_sent_before", &v.RSTSentBefore)
		case "rst_sent_after":
			d.bool("facts.rst_sent_after", &v.RSTSentAfter)
		case "rst_reply_after":
			d.bool("facts.rst_reply_after", &v.RSTReplyAfter)
		case "rst_reply_time_wait":
			d.bool("facts.rst_reply_time_wait", &v.RSTReplyTimeWait)
		case "rst_flag":
			d.optBool("facts.rst_flag", &v.RSTFlag)
		case "rst_here":
			d.bool("facts.rst_here", &v.RSTHere)
		default:
			d.evidenceMore(key, v)
		}
	}
}

// evidenceMore reads the members of which the evidence has few.
func (d *Decoder) evidenceMore(key []byte, v *model.Evidence) {
	switch string(key) {
	case "timer_retransmits":
		optional(d, "facts.timer_retransmits", &v.TimerRetransmits, 0, math.MaxUint32)
	case "timer_probes":
		optional(d, "facts.timer_probes", &v.TimerProbes, 0, math.MaxUint32)
	case "window_open":
		d.bool("facts.window_open", &v.WindowOpen)
	case "user_timeout_ns":
		optional(d, "facts.user_timeout_ns", &v.UserTimeout, math.MinInt64, math.MaxInt64)
	case "linger2":
		optional(d, "facts.linger2", &v.Linger2, math.MinInt32, math.MaxInt32)
	case "keepalive":
		d.optBool("facts.keepalive", &v.Keepalive)
	case "repair":
		d.bool("facts.repair", &v.Repair)
	case "mptcp":
		d.bool("facts.mptcp", &v.MPTCP)
	case "linger_wait":
		d.wait(&v.Wait)
	case "notices":
		d.notices(&v.Notices)
	case "abort_reason":
		d.name("facts.abort_reason", &v.AbortReason)
	case "abort_in_close":
		d.optBool("facts.abort_in_close", &v.AbortInClose)
	case "process_gone":
		d.bool("facts.process_gone", &v.ProcessGone)
	case "events":
		d.events(&v.Events)
	case "first_fin_time":
		d.time("facts.first_fin_time", &v.FirstFIN)
	case "close_time":
		d.time("facts.close_time", &v.CloseTime)
	case "gap":
		d.bool("facts.gap", &v.Gap)
	case "later":
		d.bool("facts.later", &v.Later)
	default:
		d.skip(0)
	}
}

func (d *Decoder) wait(v *model.LingerWait) {
	d.member = "facts.linger_wait"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "began":
			d.bool("facts.linger_wait.began", &v.Began)
		case "exiting":
			d.bool("facts.linger_wait.exiting", &v.Exiting)
		case "left_ns":
			optional(d, "facts.linger_wait.left_ns", &v.Left, math.MinInt64, math.MaxInt64)
		case "left_dead":
			d.bool("facts.linger_wait.left_dead", &v.LeftDead)
		case "left_owned":
			d.bool("facts.linger_wait.left_owned", &v.LeftOwned)
		case "waiting_ns":
			optional(d, "facts.linger_wait.waiting_ns", &v.Waiting, math.MinInt64, math.MaxInt64)
		case "orphaned_ns":
			optional(d, "facts.linger_wait.orphaned_ns", &v.Orphaned, math.MinInt64, math.MaxInt64)
		case "returned_ns":
			optional(d, "facts.linger_wait.returned_ns", &v.Returned, math.MinInt64, math.MaxInt64)
		case "timer_expired":
			d.bool("facts.linger_wait.timer_expired", &v.TimerExpired)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) notices(v *model.Notices) {
	d.member = "facts.notices"
	*v = 0
	for ok := d.elements(); ok; ok = d.more() {
		b, isText := d.stringValue("facts.notices")
		if !isText {
			continue
		}
		if n, known := notice(b); known {
			v.Add(n)
		} else if d.unknown == "" {
			d.unknown = fmt.Sprintf("facts.notices: unknown notice %.40q", b)
		}
	}
}

// notice returns the notice of that name. A notice without a name prints as a
// number; such a name is none.
func notice(name []byte) (model.Notice, bool) {
	if len(name) == 0 || name[0] >= '0' && name[0] <= '9' {
		return 0, false
	}
	for n := model.Notice(0); n < 32; n++ {
		if n.String() == string(name) {
			return n, true
		}
	}
	return 0, false
}

func (d *Decoder) events(v *[]model.EventRef) {
	d.member = "facts.events"
	*v = nil
	for ok := d.elements(); ok; ok = d.more() {
		var e model.EventRef
		d.event(&e)
		if len(*v) < maxMembers {
			*v = append(*v, e)
		}
	}
}

func (d *Decoder) event(v *model.EventRef) {
	d.member = "facts.events"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "provider":
			d.str("facts.events.provider", &v.Provider)
		case "id":
			signed(d, "facts.events.id", &v.ID, 0, math.MaxUint16)
		case "reason":
			optional(d, "facts.events.reason", &v.Reason, 0, math.MaxUint32)
		default:
			d.skip(0)
		}
	}
}
