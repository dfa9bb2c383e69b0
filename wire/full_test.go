package wire_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// Whether a segment of the full size was acknowledged says that the path carries those.
func TestFullSizeAcked(t *testing.T) {
	mss := []byte{2, 4, 5, 0xb4} // 1460
	for _, x := range []struct {
		name  string
		sent  []int
		acked int // of them
		want  model.Opt[bool]
	}{
		{"small ones", []int{1000, 1459}, 2, model.Opt[bool]{}},
		{"acknowledged", []int{100, 1460}, 2, model.Some(true)},
		{"a large one of several", []int{14600}, 1, model.Some(true)},
		{"lost", []int{100, 1460, 312}, 1, model.Some(false)},
	} {
		records := play(t, wire.Options{}, func(m *wiretest.Maker) {
			p := &peer{m: m, at: [2]netip.AddrPort{client, server}, next: [2]uint32{1001, 5001}}
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 1000, Flags: syn, Options: mss})
			m.Send(&wiretest.Segment{From: server, To: client, Seq: 5000, Ack: 1001, Flags: syn | ack, Options: mss})
			p.to(0, ack, "")
			acked := p.next[0]
			for i, size := range x.sent {
				p.to(0, ack, strings.Repeat("x", size))
				if i < x.acked {
					acked = p.next[0]
				}
			}
			m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: acked, Flags: ack, Window: 500})
			p.to(0, rst|ack, "")
		})
		if len(records) != 2 {
			t.Fatalf("%s: %d records", x.name, len(records))
		}
		if got := records[0].Teardown.TCP.FullSizeAcked; got != x.want {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
	}
}
