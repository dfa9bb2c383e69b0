package wire_test

import (
	"testing"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// A RST may be the first that shows that a connection was open: checks of HAProxy reset before
// they have answered the SYN-ACK, and a capture of SYN, FIN and RST lacks that answer.
func TestOnlyARSTShowsThatItWasOpen(t *testing.T) {
	const (
		aborts = "w1a 10.0.0.1:40000 abortive local-abort local local-app inferred"
		reset  = "w1b 192.0.2.1:443 abortive peer-reset peer peer inferred"
	)
	fromClient := func(sent, got uint32, flags uint8) wiretest.Segment {
		return wiretest.Segment{From: client, To: server, Seq: 1001 + sent, Ack: 5001 + got, Flags: flags}
	}
	fromServer := func(sent, got uint32, flags uint8) wiretest.Segment {
		return wiretest.Segment{From: server, To: client, Seq: 5001 + sent, Ack: 1001 + got, Flags: flags}
	}
	noACK := fromClient(0, 0, wiretest.RST)
	noACK.Ack = 0
	wrong, answer := aSYNACK, noACK
	wrong.Ack, answer.Seq = 2001, 2001
	synACK := aSYNACK
	synACK.Window = 60_000
	for _, x := range []struct {
		name string
		all  []wiretest.Segment
		want []string
	}{
		{"a check, which no application of the server gets", []wiretest.Segment{aSYN, synACK, fromClient(0, 0, wiretest.RST|wiretest.ACK)}, []string{aborts}},
		{"a check, of one direction", []wiretest.Segment{aSYN, fromClient(0, 0, wiretest.RST|wiretest.ACK)}, []string{aborts}},
		{"after a request", []wiretest.Segment{aSYN, synACK, fromClient(100, 200, wiretest.RST|wiretest.ACK)}, []string{aborts, reset}},
		{"the client's, in answer to data", []wiretest.Segment{aSYN, synACK, fromClient(100, 0, wiretest.RST)}, []string{aborts, reset}},
		{"the server's, after a request", []wiretest.Segment{aSYN, synACK, fromServer(0, 100, wiretest.RST|wiretest.ACK)}, []string{
			"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred", "w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
		}},
		{"the server's, in answer to data", []wiretest.Segment{aSYN, synACK, fromServer(0, 0, wiretest.RST)}, []string{
			"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred", "w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
		}},
		{"of what never sent the SYN", []wiretest.Segment{aSYN, synACK, noACK}, []string{
			"w1a 10.0.0.1:40000 failed-open connect-cancelled none local-app inferred",
		}},
		{"in answer to a wrong SYN-ACK", []wiretest.Segment{aSYN, wrong, answer, synACK, anACK, request, itsFIN, aFIN}, []string{
			"w1a 10.0.0.1:40000 graceful fin both local-app inferred", "w1b 192.0.2.1:443 graceful fin local local-app inferred",
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
				for i := range x.all {
					m.Send(&x.all[i])
				}
			}), x.want...)
		})
	}
}

// Data that comes after the end's own FIN, and that a RST answers, is not what it heard last:
// nobody read it.
func TestLastSpeakerBeforeDataAfterClose(t *testing.T) {
	for _, acked := range []bool{false, true} {
		var spoke model.Time
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			c := m.Open(client, server, 1000, 5000)
			spoke = model.TimeOf(m.Now)
			c.Say(0, []byte("hello"))
			c.Say(1, []byte("welcome"))
			c.Flag(1, wiretest.FIN|wiretest.ACK)
			c.Flag(0, wiretest.ACK)
			if acked { // half-closed, it goes on reading
				spoke = model.TimeOf(m.Now)
				c.Say(0, []byte("more"))
				c.Flag(1, wiretest.RST|wiretest.ACK)
				return
			}
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 1006, Ack: 5009, Flags: wiretest.PSH | wiretest.ACK, Payload: []byte("more"), Window: 1})
			m.Send(&wiretest.Segment{From: server, To: client, Seq: 5009, Flags: wiretest.RST})
		})
		if len(records) != 2 {
			t.Fatalf("got %d ends, want 2", len(records))
		}
		want := map[bool]model.Side{false: model.SideLocal, true: model.SidePeer}[acked]
		if x := &records[1].Teardown.TCP; x.LastSpeaker != want || x.LastReceived != spoke {
			t.Errorf("acknowledged %v: %v spoke last, received at %v; want %v, %v", acked, x.LastSpeaker, x.LastReceived, want, spoke)
		}
	}
}
