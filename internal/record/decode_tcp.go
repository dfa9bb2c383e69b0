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
		default:
			d.skip(0)
		}
	}
}
