package wire

import (
	"fmt"

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
