package wire_test

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire/wiretest"
)

// A SYN takes longer than what follows it: a RST that does not is the client's all the same.
// Only one that is as early in the second capture as the server's segments came from there.
func TestCompareSlowSYNs(t *testing.T) {
	rst := wiretest.Segment{From: client, To: server, Seq: 1006, Ack: 5001, Flags: wiretest.RST | wiretest.ACK, Window: 9}
	for _, x := range []struct {
		forged bool
		want   []string
	}{
		{false, nil},
		{true, []string{"its other segments pass a first: it was not sent by 10.0.0.1, but from the other side"}},
	} {
		h := newHop(t)
		for n := range 3 {
			h.send(0, nth(aSYN, n), 0)
			h.send(4*apartBy, nth(aSYN, n), 1)
			h.send(0, nth(aSYNACK, n))
			h.send(0, nth(anACK, n))
			h.send(0, nth(request, n))
			switch {
			case n > 0:
			case x.forged:
				h.send(time.Second, nth(rst, n), 1)
				h.send(apartBy, nth(rst, n), 0)
			default:
				h.send(time.Second, nth(rst, n))
			}
		}
		h.check(h.compare(), x.forged, x.want...)
	}
}
