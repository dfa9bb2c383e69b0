package flow_test

import (
	"testing"

	"github.com/closetrace/closetrace/wire/internal/flow"
	"github.com/closetrace/closetrace/wire/internal/packet"
)

// talk makes segments between two ends, 0 is the client, a millisecond apart.
type talk struct {
	table *flow.Table
	conn  *flow.Conn
	next  [2]uint32
	now   int64
}

func newTalk(ended func(*flow.Conn)) *talk {
	return &talk{table: flow.NewTable(0, ended), now: 1e18, next: [2]uint32{1000, 5000}}
}

// segment makes one that acknowledges all; it is not sent.
func (k *talk) segment(end int, flags uint8, length uint32) *packet.Segment {
	s := &packet.Segment{
		SrcPort: 40000, DstPort: 443, Seq: k.next[end], Flags: flags, Length: length, Window: 64000, TTL: 64, Options: packet.Options{Whole: true},
	}
	s.Src[0], s.Dst[0] = 10, 192
	if end == 1 {
		s.Src, s.Dst, s.SrcPort, s.DstPort = s.Dst, s.Src, s.DstPort, s.SrcPort
	}
	if s.Has(packet.ACK) {
		s.Ack = k.next[1-end]
	}
	return s
}

func (k *talk) add(s *packet.Segment) {
	k.now += 1e6
	if c, _ := k.table.Add(s, k.now); c != nil {
		k.conn = c
	}
}

func (k *talk) send(end int, flags uint8, length uint32) {
	s := k.segment(end, flags, length)
	k.next[end] += s.Space()
	k.add(s)
}

func (k *talk) open() {
	k.send(0, packet.SYN, 0)
	k.send(1, packet.SYN|packet.ACK, 0)
	k.send(0, packet.ACK, 0)
}

// Acknowledgements count however many bytes came before: sequence numbers go round after
// 4 GiB, and seem to be before the first one from 2 GiB on.
func TestAcknowledgedAfterGigabytes(t *testing.T) {
	const size, total = 1 << 20, 5 << 30
	var ended flow.How
	k := newTalk(func(c *flow.Conn) { ended = c.How })
	k.open()
	for n := 0; n < total; n += size {
		k.send(0, packet.ACK, size)
		k.send(1, packet.ACK, 0)
		if left := k.conn.Sides[0].Unacked(); left != 0 {
			t.Fatalf("%d bytes not acknowledged after %d", left, n+size)
		}
	}
	k.send(1, packet.FIN|packet.ACK, 0)
	k.send(0, packet.FIN|packet.ACK, 0)
	k.send(1, packet.ACK, 0)
	k.table.Close()
	client := &k.conn.Sides[0]
	if client.Bytes != total || client.FINAcked == 0 || ended != flow.Finished {
		t.Errorf("%d bytes, FIN acknowledged at %d, ended %v; want %d, and both FINs acknowledged", client.Bytes, client.FINAcked, ended, total)
	}
}

// A SYN that tries again after a refusal is added once, and is no copy of itself.
func TestRetriedSYNIsNoCopy(t *testing.T) {
	k := newTalk(func(*flow.Conn) {})
	for id := range uint16(2) {
		s := k.segment(0, packet.SYN, 0)
		s.ID, s.HasID = id, true
		k.add(s)
		if id == 0 {
			k.next[0]++
			k.add(k.segment(1, packet.RST|packet.ACK, 0))
			k.next[0]--
			k.now += 5e8
		}
	}
	if x := &k.conn.Sides[0]; k.conn.How != flow.Open || x.Segments != 2 || x.Retransmits != 1 || x.Copies != 0 {
		t.Errorf("%d SYNs, %d sent again, %d copies, how %d; want 2, of which one was sent again", x.Segments, x.Retransmits, x.Copies, k.conn.How)
	}
}
