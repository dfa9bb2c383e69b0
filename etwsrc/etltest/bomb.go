package etltest

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// Bomb is a small trace that would take much memory or time.
type Bomb struct {
	Name string
	// Make returns one of n buffers or events; Size is how many do harm.
	Make func(tb testing.TB, n int) []byte
	Size int
}

// Bombs are those that are known.
func Bombs() []Bomb {
	list := []Bomb{
		{"buffers that unpack to 16 MB, few CPUs", func(tb testing.TB, n int) []byte { return packed(tb, n, 4, 16<<20-4096) }, 500},
		{"buffers that unpack to 16 MB, many CPUs", func(tb testing.TB, n int) []byte { return packed(tb, n, 4096, 16<<20-4096) }, 500},
		{"buffers that unpack to 1 MB, many CPUs", func(tb testing.TB, n int) []byte { return packed(tb, n, 2048, 1<<20) }, 500},
		{"buffers of 80 bytes", tiny, 20_000},
		{"records of 8 bytes that unpack", func(tb testing.TB, n int) []byte {
			return packedRecords(n, 4, bytes.Repeat([]byte{8, 0, 0, 0x90, 0, 0, 0, 0}, 1<<20/8))
		}, 500},
	}
	for name, add := range floods {
		list = append(list, Bomb{name, func(tb testing.TB, n int) []byte { return flood(tb, n, add) }, 20_000})
	}
	return list
}

func packed(tb testing.TB, buffers, cpus, size int) []byte {
	b := NewBuilder(tb, Releases()[7])
	c := &Conn{Builder: b, TCB: 1}
	c.Stack(0, 1184, nil)
	t := b.Trace()
	t.defaults()
	record := t.record(b.Events[0])
	return packedRecords(buffers, cpus, bytes.Repeat(record, size/len(record)))
}

// packedRecords returns a trace whose compressed buffers all hold records.
func packedRecords(buffers, cpus int, records []byte) []byte {
	t := &Trace{Compressed: true}
	t.defaults()
	t.BufferSize = len(records) + 72
	packed := t.buffer(buffer{records: records}, 0)
	t.BufferSize = 16 << 20
	header := t.header(buffers + 1)
	t.BufferSize = 8192
	file := t.buffer(buffer{records: header}, 4)
	for i := range buffers {
		binary.LittleEndian.PutUint16(packed[0x28:], uint16(i%cpus))
		file = append(file, packed...)
	}
	return file
}

// tiny is a trace of many buffers with a record each that is no event.
func tiny(_ testing.TB, n int) []byte {
	t := &Trace{}
	t.defaults()
	file := t.buffer(buffer{records: t.header(1)}, 4)
	t.BufferSize = 80
	for i := range n {
		file = append(file, t.buffer(buffer{cpu: i % 300, records: []byte{8, 0, 0, 0x90, 0, 0, 0, 0}}, 0)...)
	}
	return file
}

// floods add one of many events at the same moment, of things that are never
// heard of again.
var floods = map[string]func(c *Conn, i int){
	"connections that are only opened": func(c *Conn, i int) { c.Stack(0, 1017, Fields{"ProcessId": i}) },
	"connections that all end at once": func(c *Conn, i int) {
		c.Stack(0, 1184, nil)
	},
	"one TCB that is always another": func(c *Conn, i int) {
		c.TCB = 1
		c.Stack(0, 1184, nil)
	},
	"connections without a TCB": func(c *Conn, i int) {
		c.TCB = 0
		c.Stack(0, 1017, nil)
		c.Stack(0, 1480, Fields{"Status": uint32(StatusRefused)})
	},
	"ends of the kernel logger": func(c *Conn, i int) {
		local, peer := c.Local.Addr().As4(), c.Peer.Addr().As4()
		c.Add(0, 4, 0, raw.KernelNetwork, 12+uint16(i%2), Fields{"PID": i, "saddr": local[:], "daddr": peer[:], "sport": 1, "dport": i % 60000})
	},
	"events of one connection": func(c *Conn, i int) {
		c.TCB = uint64(i % 100)
		c.Stack(0, 1479, Fields{"Reason": i % 5})
	},
	"closesockets that never return": func(c *Conn, i int) { c.Call(0, 3, nil) },
	"sockets, each in a thread":      func(c *Conn, i int) { c.Linger(0, 1, 5) },
	"accepts by one endpoint": func(c *Conn, i int) {
		c.AFD(0, 1024, Fields{"EnterExit": 1, "Address": c.Peer, "AcceptEndpoint": 7})
	},
	"endpoints": func(c *Conn, i int) { c.AFD(0, 1018, Fields{"EnterExit": 0, "Address": c.Peer}) },
}

func flood(tb testing.TB, n int, add func(c *Conn, i int)) []byte {
	b := NewBuilder(tb, Releases()[7])
	for i := range n {
		v := uint32(i)
		add(&Conn{
			Builder: b, TCB: 0x1000 + uint64(i), Endpoint: 1<<20 + uint64(i), Socket: uint64(i), PID: v, TID: 1 + v,
			Local: netip.MustParseAddrPort("10.0.0.5:443"),
			Peer:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(v >> 16), byte(v >> 8), byte(v)}), 1),
		}, i)
	}
	t := b.Trace()
	t.BufferSize = 64 << 10
	for i := range t.Events { // the trace's writer sorts by time
		t.Events[i].At = time.Duration(i)
	}
	return t.Bytes()
}
