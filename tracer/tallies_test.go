//go:build linux

package tracer

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// TestCountsAreExact: of connections that this test counts itself, each end is in exactly
// one place: it has a record, or it was counted.
func TestCountsAreExact(t *testing.T) {
	for _, mode := range TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := OpenOrSkip(t, Options{Mode: mode, CountOrdinary: true})
			const connections = 2000
			var port uint16
			records := sourcetest.RecordWhile(t, tr, func() { port = connectAndClose(t, connections) })
			s := sumOf(records, port)
			if s.counted+s.reported != 2*connections || s.lost > 0 || s.counted == 0 {
				t.Errorf("%d counted, %d reported and %d lost, want %d ends in all", s.counted, s.reported, s.lost, 2*connections)
			}
			if want := uint64(2 * connections * len(request)); s.reported == 0 && (s.sent != want || s.received != want) {
				t.Errorf("sent %d bytes and received %d, want %d", s.sent, s.received, want)
			}
			t.Logf("%d counted, %d reported", s.counted, s.reported)
		})
	}
}

// TestNoRoomToCount: what can't be counted is sent.
func TestNoRoomToCount(t *testing.T) {
	tr := OpenOrSkip(t, Options{Mode: Tracepoint, CountOrdinary: true})
	full := make([]bpf.TraceTally, tallySlots)
	for i := range full {
		full[i].Taken = 1
	}
	if _, err := tr.asm.tallies.memory.WriteAt(bytesOf(full), 0); err != nil {
		t.Fatal(err)
	}
	const connections = 48
	var port uint16
	records := sourcetest.RecordWhile(t, tr, func() { port = connectAndClose(t, connections) })
	if s := sumOf(records, port); s.reported != 2*connections || s.counted != 0 {
		t.Errorf("%d reported and %d counted, want %d and 0", s.reported, s.counted, 2*connections)
	}
}

// TestSendOrdinary: an agent may be asked for all ends while it runs.
func TestSendOrdinary(t *testing.T) {
	tr := OpenOrSkip(t, Options{Mode: Tracepoint, CountOrdinary: true})
	if err := tr.SendOrdinary(true); err != nil {
		t.Fatal(err)
	}
	const connections = 48
	var port uint16
	records := sourcetest.RecordWhile(t, tr, func() { port = connectAndClose(t, connections) })
	if s := sumOf(records, port); s.reported != 2*connections || s.counted != 0 {
		t.Errorf("%d reported and %d counted, want %d and 0", s.reported, s.counted, 2*connections)
	}
}

// TestOneSidedEndsAreSent: a server that answers nothing or turns clients away, and a
// client that gives up, are what findings are about.
func TestOneSidedEndsAreSent(t *testing.T) {
	for name, c := range map[string]struct {
		server, client  func(net.Conn)
		active, passive bool // reported
	}{
		"turned away": {func(c net.Conn) { c.Close() }, func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }, false, true},
		"not answered": {
			func(c net.Conn) { io.ReadFull(c, make([]byte, len(request))); c.Close() },
			func(c net.Conn) { fmt.Fprint(c, request); io.Copy(io.Discard, c); c.Close() }, false, true,
		},
		"given up": {
			func(c net.Conn) { io.Copy(io.Discard, c); c.Close() },
			func(c net.Conn) { fmt.Fprint(c, request); c.Close() }, true, true,
		},
		"a download": {
			func(c net.Conn) { fmt.Fprint(c, request); io.Copy(io.Discard, c); c.Close() },
			func(c net.Conn) { io.ReadFull(c, make([]byte, len(request))); c.Close() }, false, false,
		},
		"a probe": {func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }, func(c net.Conn) { c.Close() }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := OpenOrSkip(t, Options{Mode: Tracepoint, CountOrdinary: true})
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			records := sourcetest.RecordWhile(t, tr, func() {
				b := connected(t, l)
				var done sync.WaitGroup
				done.Go(func() { c.server(b.server) })
				c.client(b.client)
				done.Wait()
				time.Sleep(2 * hold)
			})
			port, active, passive := uint16(l.Addr().(*net.TCPAddr).Port), false, false
			for i := range records {
				if n := &records[i].Teardown.Network; records[i].Kind == model.KindTeardown {
					active, passive = active || n.Peer.Port == port, passive || n.Local.Port == port
				}
			}
			if active != c.active || passive != c.passive {
				t.Errorf("reported: active %v, passive %v; want %v, %v", active, passive, c.active, c.passive)
			}
		})
	}
}

const request = "request\n"

// connectAndClose makes connections on loopback, which end as those of a busy server do:
// one request, one answer, and the server closes. It returns the server's port.
func connectAndClose(t *testing.T, connections int) uint16 {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer c.Close()
				if _, err := io.ReadFull(c, make([]byte, len(request))); err != nil {
					t.Error(err)
				}
				fmt.Fprint(c, request)
			})
		}
	})
	const clients = 4
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for range connections / clients {
				c, err := net.Dial("tcp4", l.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprint(c, request)
				io.Copy(io.Discard, c)
				c.Close()
			}
		})
	}
	running.Wait()
	time.Sleep(2 * hold) // the last acknowledgements
	l.Close()
	done.Wait()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

type sums struct{ counted, reported, lost, sent, received uint64 }

func sumOf(records []model.Record, port uint16) (s sums) {
	for i := range records {
		r := &records[i]
		n := &r.Teardown.Network
		ours := n.Local.Port == port || n.Peer.Port == port
		switch {
		case r.Kind == model.KindLoss:
			s.lost += r.Loss.Count
		case r.Kind == model.KindTeardown && ours:
			s.reported++
		case r.Kind == model.KindCounts && ours:
			s.counted += r.Counted.Ends - r.Counted.TakenBack
			s.sent, s.received = s.sent+r.Counted.Sent, s.received+r.Counted.Received
		}
	}
	return s
}

// tallyMemory is the kernel's table, without a kernel.
type tallyMemory []bpf.TraceTally

func (m tallyMemory) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(bytesOf(m)).ReadAt(p, at)
}

func (m tallyMemory) WriteAt(p []byte, at int64) (int, error) { return copy(bytesOf(m)[at:], p), nil }

// assembler reports what is counted in m.
func (m tallyMemory) assembler() *assembler {
	a := newAssembler(translator{}, "x")
	a.tallies = &tallies{
		memory: m, now: make([]bpf.TraceTally, len(m)), slots: make([]tallySlot, len(m)),
		takenBack: map[bpf.TraceTally]uint64{}, sums: map[bpf.TraceTally]*model.Counted{},
	}
	return a
}

// TestGiveBack: places of processes that are gone are given back once half are taken; no
// end is reported twice or missed by that.
func TestGiveBack(t *testing.T) {
	m := make(tallyMemory, 8)
	a := m.assembler()
	take := func(i int, tgid uint32) {
		m[i].Owner.Tgid, m[i].Taken = tgid, 1
		m[0].Taken++
	}
	told := map[int]uint64{}
	report := func(at time.Duration) {
		a.tallies.report(a, ktime(at), false, func(e *model.Event) bool {
			told[e.Teardown.Process.PID] += e.Counted.Ends
			return true
		})
	}
	for i := 1; i <= 5; i++ {
		take(i, uint32(i))
		m[i].Ends = 10
	}
	report(time.Second)
	m[5].Ends = 11
	report(time.Second + tallyIdle)
	if m[1].Taken != 0 || m[1].Ends != 10 {
		t.Errorf("the first place: %+v, want it given back with its number", m[1])
	}
	if m[5].Taken != 1 {
		t.Error("a place that counts was given back")
	}
	take(1, 77)
	m[1].Ends++
	report(2*time.Second + tallyIdle)
	if want := map[int]uint64{1: 10, 2: 10, 3: 10, 4: 10, 5: 11, 77: 1}; fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("reported %v, want %v", told, want)
	}
}

// TestShardsAreOneLine: what several processors have counted of one process and port is
// one record.
func TestShardsAreOneLine(t *testing.T) {
	m := make(tallyMemory, 8)
	a := m.assembler()
	for i := range 3 {
		m[i+1] = bpf.TraceTally{Owner: bpf.TraceOwner{Tgid: 812}, Port: 443, Shard: uint8(i), Taken: 1, Ends: 10, Sent: 5, Received: 7}
		m[0].Taken++
	}
	var lines []model.Counted
	a.tallies.report(a, ktime(time.Second), false, func(e *model.Event) bool {
		lines = append(lines, e.Counted)
		return true
	})
	if len(lines) != 1 || lines[0].Ends != 30 || lines[0].Sent != 15 || lines[0].Received != 21 {
		t.Errorf("got %+v, want one line with 30 ends", lines)
	}
}
