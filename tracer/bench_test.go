//go:build linux

package tracer

import (
	"testing"
	"unsafe"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// sampleEnd is the message of a client that closed first, as a kernel sent it.
func sampleEnd(sock, ended uint64) bpf.TraceEnd {
	e := bpf.TraceEnd{
		Message: bpf.TraceMessageMESSAGE_END, Sock: sock,
		Started: ended - 300_000, FirstFin: ended - 20_000, CloseBegan: ended - 20_000, Ended: ended,
		Path: 0x21457, BytesAcked: 66, BytesReceived: 65,
		LocalPort: uint16(sock), PeerPort: 80, Netns: 4026531840,
		Flags: bpf.TraceFlagFLAG_ACTIVE | bpf.TraceFlagFLAG_TUPLE | bpf.TraceFlagFLAG_DEAD | bpf.TraceFlagFLAG_DONE |
			bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_FIN_ACKED,
		SrttUs: 900, Shutdown: 3, Holder: 1, Source: 1, Call: 1, Family: 2, Last: 5,
	}
	copy(e.Local[:], []byte{127, 0, 0, 1})
	copy(e.Peer[:], []byte{127, 0, 0, 2})
	e.Owner.Tgid, e.Owner.Start, e.Closer.Tgid, e.Closer.Tid = 812, 1, 812, 812
	copy(e.Owner.Comm[:], "nginx")
	copy(e.Closer.Comm[:], "nginx")
	return e
}

// BenchmarkEnd is the user-space cost of one connection end, from the bytes of
// the ring buffer to the line of a recording.
func BenchmarkEnd(b *testing.B) {
	asm := newAssembler(translator{clock: clocks(systemClocks).measure(), hertz: 250}, "bench")
	events := func(yield func(*model.Event, error) bool) {
		out := func(e *model.Event) bool { return yield(e, nil) }
		var m message
		for i := range uint64(b.N) {
			e := sampleEnd(0xffff888000000000+i%4096*2048, 1_000_000_000+i*5000)
			raw := unsafe.Slice((*byte)(unsafe.Pointer(&e)), unsafe.Sizeof(e))
			if err := m.decode(raw); err != nil {
				b.Fatal(err)
			}
			asm.message(&m, out)
			if i%1024 == 0 {
				asm.advance(m.time(), 0, out)
			}
		}
		asm.flush(0, out)
	}
	var line []byte
	var last model.Record
	b.ReportAllocs()
	for r := range model.Judged(events) {
		last = r
		line = record.Append(line[:0], &last)
	}
	b.SetBytes(int64(len(line)))
}
