package wire_test

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// The window of a peer of which nothing was captured is not known: it is not a closed one.
func TestWindowOfUncapturedPeer(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		for _, wait := range []time.Duration{0, 1, 2, 4, 8} {
			m.Now = m.Now.Add(wait * time.Second)
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 1001, Ack: 5001, Flags: wiretest.PSH | wiretest.ACK, Payload: []byte("hello"), Window: 9})
		}
		later(m, 5*time.Minute)
	})
	check(t, records, "w1a 10.0.0.1:40000 abortive retransmit-timeout none local-kernel inferred")
	if w := records[0].Teardown.TCP.PeerWindow; w.Known() {
		t.Errorf("the peer's window is %v", w)
	}
}
