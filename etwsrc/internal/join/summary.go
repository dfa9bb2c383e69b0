package join

import (
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/model"
)

// counters are those of event 1477, which since Windows 10 1809 sums a
// connection up at its end.
type counters struct {
	// out and in are bytes of payload in segments, those sent again included
	// (TCP_ESTATS_DATA_ROD); again is how many of out were sent again.
	out, in uint64
	again   uint32
	rtt     uint32 // microseconds, smoothed
}

// summary takes event 1477. It reports no end: a connection that nothing else
// reported is left alone.
func (j *Joiner) summary(f *payload.Payload) {
	c := j.conns[f.Pointer(payload.FieldTcb)]
	if c == nil || c.reported || !j.address(c, f.Address(payload.FieldLocalAddress), f.Address(payload.FieldRemoteAddress)) {
		return
	}
	out, _ := f.Uint(payload.FieldDataBytesOut)
	in, _ := f.Uint(payload.FieldDataBytesIn)
	c.counters = model.Some(counters{
		out: out, in: in,
		again: f.Uint32(payload.FieldBytesRetrans), rtt: f.Uint32(payload.FieldRttUs),
	})
}

// summaryFacts says how much was transferred, as far as the counters have it:
// what left is known to have been acknowledged only if our FIN, which comes
// after it, was; and what is counted twice is not known where something was
// sent again.
func (c *conn) summaryFacts(t *model.TCP) {
	n, known := c.counters.Get()
	if !known {
		return
	}
	t.Bytes.Received = model.Some(n.in)
	if c.finAcked != 0 && c.announced&ends == 0 && n.again == 0 {
		t.Bytes.Sent, t.Bytes.Unacked, t.Bytes.Unsent = model.Some(n.out), model.Some[uint64](0), model.Some[uint64](0)
	}
	if n.rtt != 0 {
		t.SRTT = model.Some(time.Duration(n.rtt) * time.Microsecond)
	}
}
