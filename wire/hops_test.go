package wire_test

import (
	"testing"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// A RST in answer is the kernel's, with the host's TTL, whatever that of the socket was
// (IP_TTL): only another distance is unlike. One of the connection's own has the socket's.
func TestResetWithTTLOfHost(t *testing.T) {
	const between = "w1a 10.0.0.1:40000 abortive peer-reset none network inferred"
	for _, x := range []struct {
		ttl, rst uint8
		flags    uint8
		want     []string
	}{
		{254, 63, rst, resetInferred},
		{61, 125, rst, resetInferred},
		{254, 62, rst, []string{between}},
		{254, 63, rst | ack, []string{between}},
		{57, 64, rst, []string{between}},
	} {
		check(t, play(t, wire.Options{}, func(m *wiretest.Maker) {
			to := func(seq uint32, flags, ttl uint8, data string) {
				m.Send(&wiretest.Segment{From: server, To: client, Seq: seq, Ack: 1006, Flags: flags, Window: 99, TTL: ttl, Payload: []byte(data)})
			}
			from := func(seq, acked uint32, flags uint8, data string) {
				m.Send(&wiretest.Segment{From: client, To: server, Seq: seq, Ack: acked, Flags: flags, Window: 99, Payload: []byte(data)})
			}
			from(1000, 0, syn, "")
			m.Send(&wiretest.Segment{From: server, To: client, Seq: 5000, Ack: 1001, Flags: syn | ack, TTL: x.ttl})
			from(1001, 5001, ack, "")
			from(1001, 5001, psh|ack, "hello")
			to(5001, psh|ack, x.ttl, "hello")
			from(1006, 5006, ack, "")
			to(5006, x.flags, x.rst, "")
		}), x.want...)
	}
}
