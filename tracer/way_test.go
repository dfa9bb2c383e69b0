//go:build linux

package tracer

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

// busyHost is a ring that holds both ends of connections within a host, a client
// that closes first and its server, 200,000 ends a second.
type busyHost struct {
	ends, read uint64
	end        bpf.TraceEnd
	stop       context.CancelFunc
}

func (*busyHost) SetDeadline(time.Time) {}
func (*busyHost) Flush() error          { return nil }
func (*busyHost) Close() error          { return nil }

func (b *busyHost) ReadInto(to *ringbuf.Record) error {
	if b.read == b.ends {
		b.stop()
		return os.ErrDeadlineExceeded
	}
	connection := b.read / 2
	b.end = sampleEnd(0xffff888000000000+b.read%8192*2048, 1_000_000_000+b.read*5000)
	b.end.LocalPort = uint16(1024 + connection%60000)
	b.end.SndUna, b.end.RcvNxt = uint32(connection)+66, uint32(connection*7)+66
	if b.read%2 == 1 {
		b.end.Flags = b.end.Flags&^bpf.TraceFlagFLAG_ACTIVE | bpf.TraceFlagFLAG_PASSIVE
		b.end.Local, b.end.Peer = b.end.Peer, b.end.Local
		b.end.LocalPort, b.end.PeerPort = b.end.PeerPort, b.end.LocalPort
		b.end.SndUna, b.end.RcvNxt = b.end.RcvNxt, b.end.SndUna
		b.end.Path, b.end.Last = 0x3189b7, 9
	}
	b.read++
	to.RawSample = unsafe.Slice((*byte)(unsafe.Pointer(&b.end)), unsafe.Sizeof(b.end))
	return nil
}

// recordEnds is what closetrace record does with ends, from the bytes of the ring
// to the file.
func recordEnds(t testing.TB, ends uint64) (lines uint64, bytes int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := newPlayed(t)
	p.reader = &busyHost{ends: ends, stop: cancel}
	w, err := record.Create(filepath.Join(t.TempDir(), "ends.jsonl"), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := session.New(p.Tracer, session.Options{Start: model.Start{Time: 1, Backend: "fentry"}})
	if err := s.Record(ctx, w, func(*model.Record) {}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := w.Counts()
	return c.Lines, c.Bytes
}

// BenchmarkRecord is the user-space cost of one connection end; cpu-ns/op is that of
// the whole process.
func BenchmarkRecord(b *testing.B) {
	b.ReportAllocs()
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	lines, bytes := recordEnds(b, uint64(b.N))
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(bytes)/float64(lines), "bytes/line")
}

// TestRecordAllocations: an end takes no memory of its own on its way to the file but
// the text of its ID, hundreds of which share a piece.
func TestRecordAllocations(t *testing.T) {
	const few, many, limit = 30_000, 130_000, 0.05
	run := func(n uint64) float64 {
		return testing.AllocsPerRun(1, func() {
			if lines, _ := recordEnds(t, n); lines != n+2 {
				t.Fatalf("%d lines, want %d", lines, n+2)
			}
		})
	}
	short, long := run(few), run(many)
	if each := (long - short) / (many - few); each > limit {
		t.Errorf("%.3f allocations for each end, want at most %.2f (%.0f for %d ends, %.0f for %d)", each, limit, short, few, long, many)
	}
}
