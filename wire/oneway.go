package wire

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/flow"
)

// oneWay: the capture has the segments of one side only. An attempt that nobody answered
// looks the same, and is taken for one.
func oneWay(c *flow.Conn) bool {
	for i := range c.Sides {
		if !c.Sides[i].Seen && (c.Client != 1-i || c.Opened != 0) {
			return true
		}
	}
	return false
}

// halved: it has several, not just one from before it began or of a connection that it lost.
func halved(c *flow.Conn) bool {
	const several = 3
	return oneWay(c) && c.Sides[0].Segments+c.Sides[1].Segments >= several
}

// directions is of how many more connections a capture has both directions than one only: of
// two hosts, and in all.
type directions struct {
	of  map[hosts]int
	all int
}

// maxPairs bounds the pairs of hosts that are kept: about 100 bytes each.
const maxPairs = 100_000

// add counts a connection once, when it has enough segments to tell.
func (d *directions) add(c *flow.Conn) {
	n := c.Sides[0].Segments + c.Sides[1].Segments
	if c.Counted || n < 3 || n > 3 && n&(n-1) != 0 { // of longer ones only now and then
		return
	}
	one := 1
	switch {
	case c.Sides[0].Segments > 0 && c.Sides[1].Segments > 0:
	case oneWay(c) && (!c.Midway() || c.Last-c.First > int64(time.Second)): // else it may be one flight of segments
		one = -1
	default:
		return
	}
	c.Counted = true
	d.all += one
	pair := hostsOf(c.Endpoint(0), c.Endpoint(1))
	if d.of == nil {
		d.of = map[hosts]int{}
	}
	if _, known := d.of[pair]; known || len(d.of) < maxPairs {
		d.of[pair] += one
	}
}

// deaf: an answer to the SYN of c would not be in the capture. If nothing tells of which
// directions it is, a SYN that was sent again shows that none came.
func (d *directions) deaf(c *flow.Conn) bool {
	pair := d.of[hostsOf(c.Endpoint(0), c.Endpoint(1))]
	return pair < 0 || pair == 0 && d.all <= 0 && !c.Sides[c.Client].SYNAgain
}

// unheard leaves out of the facts of an attempt what only its answers show.
func unheard(c *flow.Conn, f *model.Facts) {
	oneSided(&c.Sides[c.Client], &c.Sides[1-c.Client], &f.TCP)
	f.Evidence.Inferred = 0
	inferred(&f.Evidence, "the answers to its SYN would not be in the capture: it has nothing of the peer", model.ObservedConnectFailed)
}

// oneSided leaves out what only segments of the side that was not captured show: what it
// sent, and what it acknowledged. A RST of it may be in the capture all the same.
func oneSided(s, peer *flow.Side, t *model.TCP) {
	unknown, number := model.Opt[bool]{}, model.Opt[uint64]{}
	if !peer.Seen {
		t.FIN.Received, t.Segments.In, t.Bytes.Sent, t.Bytes.Unacked = unknown, number, number, number
		if peer.RST.Time == 0 {
			t.RST.Received = unknown
		}
	}
	if !s.Seen {
		t.FIN.Sent, t.Segments.Out, t.Bytes.Received = unknown, number, number
		t.Bytes.Retransmitted, t.Retransmits = number, model.Opt[uint32]{}
		if s.RST.Time == 0 {
			t.RST.Sent = unknown
		}
	}
}

// unanswered says that no answer to so many retransmissions was captured.
func unanswered(tries uint32, peer *flow.Side) string {
	if !peer.Seen {
		return fmt.Sprintf("%d retransmissions, whose answers would not be in the capture: it has nothing of the peer", tries)
	}
	return fmt.Sprintf("%d retransmissions were not answered", tries)
}
