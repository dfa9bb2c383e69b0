//go:build linux

package tracer

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
)

// samplePair is both ends of a connection within this host, the client's first.
func samplePair(n uint64, pid uint32) (client, server bpf.TraceEnd) {
	ended := 1_000_000_000 + n*10_000
	client = sampleEnd(0xffff888000000000+n%4096*4096, ended)
	client.LocalPort, client.PeerPort, client.Peer = uint16(20000+n%40000), 80, client.Local
	client.BytesReceived = 66 // with the server's FIN
	client.SndUna, client.RcvNxt = uint32(n)*977+66, uint32(n)*811+67
	client.Owner.Tgid, client.Closer.Tgid, client.Closer.Tid = pid, pid, pid
	client.SegsIn, client.SegsOut, client.Mss, client.Pmtu, client.PeerWindow = 5, 6, 65483, 65535, 65536
	client.Quiet, client.BytesSent, client.SentAge, client.ReceivedAge = ended-20_000, 65, 1, 1
	server = client
	server.Sock, server.Ended, server.Path = client.Sock+2048, ended+9000, 0x31897
	server.LocalPort, server.PeerPort = client.PeerPort, client.LocalPort
	server.Flags = server.Flags&^bpf.TraceFlagFLAG_ACTIVE | bpf.TraceFlagFLAG_PASSIVE
	server.Last, server.BytesAcked, server.BytesReceived = 9, 66, 66
	server.SndUna, server.RcvNxt = client.RcvNxt, client.SndUna+1
	server.Acceptor, server.AcceptorComm = pid, server.Owner.Comm
	return client, server
}

// BenchmarkPair is BenchmarkEnd for ends that know each other and whose process is
// looked up: the load of tools/bench. cpu-ns is what it costs on a busy machine too.
func BenchmarkPair(b *testing.B) {
	t := translator{clock: clocks(systemClocks).measure(), hertz: 250}
	t.owners = process.NewOwners(process.Options{})
	asm := newAssembler(t, "bench")
	events := func(yield func(*model.Event, error) bool) {
		out := func(e *model.Event) bool { return yield(e, nil) }
		var m message
		take := func(e *bpf.TraceEnd) {
			raw := unsafe.Slice((*byte)(unsafe.Pointer(e)), unsafe.Sizeof(*e))
			if err := m.decode(raw); err != nil {
				b.Fatal(err)
			}
			asm.message(&m, out)
		}
		for i := range uint64(b.N+1) / 2 {
			client, server := samplePair(i, uint32(unix.Getpid()))
			take(&client)
			take(&server)
			if i%512 == 0 {
				asm.advance(m.time(), 0, out)
			}
		}
		asm.flush(0, out)
	}
	var line []byte
	b.ReportAllocs()
	before := processorTime()
	for r, err := range model.JudgedInPlace(events) {
		if err != nil {
			b.Fatal(err)
		}
		line = record.Append(line[:0], r)
	}
	b.ReportMetric(float64(processorTime()-before)/float64(b.N), "cpu-ns/op")
	b.SetBytes(int64(len(line)))
	b.Logf("%s", line)
}

func processorTime() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
