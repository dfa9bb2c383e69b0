package record

import (
	"math"

	"github.com/closetrace/closetrace/model"
)

func (d *Decoder) tcp(v *model.TCP) {
	d.member = "tcp"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "role":
			d.name("tcp.role", &v.Role)
		case "path":
			d.path(&v.Path)
		case "error":
			d.str("tcp.error", &v.Error)
		case "fin":
			d.fin(&v.FIN)
		case "rst":
			d.rst(&v.RST)
		case "bytes":
			d.byteCounts(&v.Bytes)
		case "retransmits":
			optional(d, "tcp.retransmits", &v.Retransmits, 0, math.MaxUint32)
		case "srtt_ns":
			optional(d, "tcp.srtt_ns", &v.SRTT, math.MinInt64, math.MaxInt64)
		case "time_wait":
			d.optBool("tcp.time_wait", &v.TimeWait)
		case "loopback":
			d.bool("tcp.loopback", &v.Loopback)
		case "preexisting":
			d.bool("tcp.preexisting", &v.Preexisting)
		default:
			d.conversation(key, v)
		}
	}
}

// conversation reads a member that is about what was said before the end.
func (d *Decoder) conversation(key []byte, v *model.TCP) {
	switch string(key) {
	case "last_sent_time":
		d.time("tcp.last_sent_time", &v.LastSent)
	case "last_received_time":
		d.time("tcp.last_received_time", &v.LastReceived)
	case "idle_ns":
		optional(d, "tcp.idle_ns", &v.Idle, math.MinInt64, math.MaxInt64)
	case "last_speaker":
		d.name("tcp.last_speaker", &v.LastSpeaker)
	case "segments":
		d.segments(&v.Segments)
	case "unacked_wait_ns":
		optional(d, "tcp.unacked_wait_ns", &v.UnackedWait, math.MinInt64, math.MaxInt64)
	case "mss":
		optional(d, "tcp.mss", &v.MSS, 0, math.MaxUint32)
	case "pmtu":
		optional(d, "tcp.pmtu", &v.PMTU, 0, math.MaxUint32)
	case "full_size_acked":
		d.optBool("tcp.full_size_acked", &v.FullSizeAcked)
	case "limited":
		d.limited(&v.Limited)
	case "syn_cookie":
		d.optBool("tcp.syn_cookie", &v.SYNCookie)
	case "fast_open":
		d.optBool("tcp.fast_open", &v.FastOpen)
	case "fingerprint":
		d.name("tcp.fingerprint", &v.Fingerprint)
	default:
		d.skip(0)
	}
}

func (d *Decoder) segments(v *model.Segments) {
	d.member = "tcp.segments"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "in":
			optional(d, "tcp.segments.in", &v.In, 0, math.MaxUint64)
		case "out":
			optional(d, "tcp.segments.out", &v.Out, 0, math.MaxUint64)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) limited(v *model.Limited) {
	d.member = "tcp.limited"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "busy_ns":
			optional(d, "tcp.limited.busy_ns", &v.Busy, math.MinInt64, math.MaxInt64)
		case "receiver_ns":
			optional(d, "tcp.limited.receiver_ns", &v.Receiver, math.MinInt64, math.MaxInt64)
		case "sender_ns":
			optional(d, "tcp.limited.sender_ns", &v.Sender, math.MinInt64, math.MaxInt64)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) path(v *model.Path) {
	d.member = "tcp.path"
	*v = model.Path{}
	for ok := d.elements(); ok; ok = d.more() {
		d.state = model.StateUnknown
		d.name("tcp.path", &d.state)
		v.Append(d.state)
	}
}

func (d *Decoder) fin(v *model.FIN) {
	d.member = "tcp.fin"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "sent":
			d.optBool("tcp.fin.sent", &v.Sent)
		case "received":
			d.optBool("tcp.fin.received", &v.Received)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) rst(v *model.RST) {
	d.member = "tcp.rst"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "sent":
			d.optBool("tcp.rst.sent", &v.Sent)
		case "received":
			d.optBool("tcp.rst.received", &v.Received)
		case "reason":
			d.str("tcp.rst.reason", &v.Reason)
		default:
			d.skip(0)
		}
	}
}

func (d *Decoder) byteCounts(v *model.Bytes) {
	d.member = "tcp.bytes"
	for key, ok := d.enter(); ok; key, ok = d.next() {
		switch string(key) {
		case "sent":
			optional(d, "tcp.bytes.sent", &v.Sent, 0, math.MaxUint64)
		case "received":
			optional(d, "tcp.bytes.received", &v.Received, 0, math.MaxUint64)
		case "unsent":
			optional(d, "tcp.bytes.unsent", &v.Unsent, 0, math.MaxUint64)
		case "unacked":
			optional(d, "tcp.bytes.unacked", &v.Unacked, 0, math.MaxUint64)
		case "unread":
			optional(d, "tcp.bytes.unread", &v.Unread, 0, math.MaxUint64)
		case "retransmitted":
			optional(d, "tcp.bytes.retransmitted", &v.Retransmitted, 0, math.MaxUint64)
		default:
			d.skip(0)
		}
	}
}
