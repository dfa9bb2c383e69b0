package flow_test

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire/internal/flow"
	"github.com/closetrace/closetrace/wire/internal/packet"
)

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func syn(n uint32, flags uint8) *packet.Segment {
	s := &packet.Segment{SrcPort: uint16(n), DstPort: 443, Seq: n, Flags: flags, Options: packet.Options{Whole: true}}
	binary.BigEndian.PutUint32(s.Src[:], n)
	copy(s.Dst[:], []byte{192, 0, 2, 1})
	return s
}

// A flood of ten million SYNs stays within the bound of connections, and those that were
// open before are still there.
func TestFlood(t *testing.T) {
	const most, flood = 1 << 14, 10_000_000
	ended := map[flow.How]int{}
	table := flow.NewTable(most, func(c *flow.Conn) { ended[c.How]++ })
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC).UnixNano()
	open := syn(0xc0000201+1000, packet.SYN)
	table.Add(open, now)
	answer := *open
	answer.Src, answer.Dst, answer.SrcPort, answer.DstPort = open.Dst, open.Src, open.DstPort, open.SrcPort
	answer.Flags, answer.Ack = packet.SYN|packet.ACK, open.Seq+1
	table.Add(&answer, now)
	open.Flags, open.Seq, open.Ack = packet.ACK, open.Seq+1, answer.Seq+1
	table.Add(open, now)
	before := heap()
	for n := range uint32(flood) {
		now += 1000
		table.Add(syn(n, packet.SYN), now)
	}
	if grown := int64(heap() - before); grown > most*2048 || table.Len() > most {
		t.Errorf("%d connections take %d bytes more, want at most %d of 2 KiB", table.Len(), grown, most)
	}
	if table.Lost != flood-most+1 && table.Lost+uint64(ended[flow.Unanswered]) < flood-most {
		t.Errorf("%d lost, %v ended, of %d", table.Lost, ended, flood)
	}
	open.Flags |= packet.FIN
	if c, _ := table.Add(open, now); c == nil || c.Opened == 0 {
		t.Error("the connection that was open is not followed any more")
	}
	t.Logf("%d lost, %v ended", table.Lost, ended)
}

// Connections that are forgotten leave nothing behind.
func TestForgetting(t *testing.T) {
	table := flow.NewTable(0, func(*flow.Conn) {})
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC).UnixNano()
	for n := range uint32(10_000) {
		table.Add(syn(n, packet.ACK), now)
	}
	for range 4 * 3600 {
		now += int64(time.Second)
		table.Advance(now)
	}
	if table.Len() != 0 || table.Idle != 10_000 {
		t.Errorf("%d connections after 4 hours of silence, %d were idle", table.Len(), table.Idle)
	}
}

// A clock that jumps, forward or back, stops nothing.
func TestClockJumps(t *testing.T) {
	ended := 0
	table := flow.NewTable(100, func(*flow.Conn) { ended++ })
	for i, now := range []int64{5e18, 1, 0, -5, 1 << 62, 9e18, 7} {
		table.Add(syn(uint32(i), packet.SYN), now)
	}
	table.Advance(1<<63 - 1)
	table.Close()
	if table.Len() > 7 || ended > 7 {
		t.Errorf("%d connections, %d ended", table.Len(), ended)
	}
}

// One time stamp that is far ahead does not stop the time for ever.
func TestClockJumpsOnce(t *testing.T) {
	const hour = 3600 * int64(1e9)
	ended := 0
	table := flow.NewTable(0, func(*flow.Conn) { ended++ })
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC).UnixNano()
	table.Add(syn(1, packet.ACK), now)
	table.Add(syn(2, packet.ACK), now+87_600*hour)
	for range 1000 {
		now += 1e6
		table.Add(syn(1, packet.ACK), now)
	}
	table.Add(syn(3, packet.SYN), now)
	for range 600 {
		now += 1e9
		table.Advance(now)
	}
	if ended != 1 {
		t.Errorf("%d ends, want that of the SYN that was not answered", ended)
	}
}

// FuzzTable: no order of segments breaks the lists, or exceeds the bound of connections.
func FuzzTable(f *testing.F) {
	f.Add([]byte("\x00\x02\x00\x00\x01\x12\x00\x01\x00\x10\x01\x01\x00\x11\x01\x01\x01\x11\x01\x02\x00\x10\x02\x02"))
	f.Add([]byte("\x00\x02\x00\x00\x01\x14\x00\x01\x02\x02\x00\x00\x03\x02\x00\x00\x00\x02\x05\x00\x01\x12\x00\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 5
		ended := 0
		table := flow.NewTable(most, func(*flow.Conn) { ended++ })
		now := int64(1e18)
		n := 0
		for ; len(data) >= 4; data = data[4:] {
			n++
			s := &packet.Segment{SrcPort: 1, DstPort: 2, Flags: data[1], Seq: uint32(data[2]), Ack: uint32(data[3]), Window: uint16(data[2]), Length: uint32(data[0] >> 5)}
			s.Src[0], s.Dst[0] = data[0]>>1&7, 9
			if data[0]&1 == 1 {
				s.Src, s.Dst, s.SrcPort, s.DstPort = s.Dst, s.Src, s.DstPort, s.SrcPort
			}
			now += int64(data[1]) << (data[3] % 40)
			table.Add(s, now)
			if table.Len() > most {
				t.Fatalf("%d connections", table.Len())
			}
		}
		table.Close()
		if ended > 2*n {
			t.Fatalf("%d ends of %d segments", ended, n)
		}
	})
}
