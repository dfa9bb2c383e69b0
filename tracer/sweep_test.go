//go:build linux

package tracer

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// sweepRun is a trace whose programs can be detached, so that what follows is
// shown to none of them.
type sweepRun struct {
	*testing.T
	tr       *Tracer
	listener net.Listener
}

func newSweepRun(t *testing.T, mode Mode) *sweepRun {
	t.Helper()
	tr, err := Open(Options{Mode: mode})
	switch {
	case err == nil:
	case mode == Tracepoint, strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), string(mode)):
		t.Fatalf("open %s: %v", mode, err)
	default:
		t.Skipf("open %s: %v", mode, err)
	}
	t.Cleanup(func() { tr.Close() })
	tr.sweeper.every, tr.sweeper.next = time.Millisecond, 0
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &sweepRun{t, tr, l}
}

// hide detaches all programs but the sweep.
func (r *sweepRun) hide() {
	r.Helper()
	if err := r.tr.loaded.detach(); err != nil {
		r.Fatal(err)
	}
}

// told returns what the trace tells until its end, which comes after a time in
// which sweeps are made, or at once: then the last one tells.
func (r *sweepRun) told(sweeps time.Duration) (told []model.Record, hook uint64) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), sweeps)
	defer cancel()
	ended := false
	for record, err := range model.Judged(r.tr.Events(ctx)) {
		if err != nil {
			r.Fatal(err)
		}
		switch {
		case record.Kind == model.KindLoss && record.Loss.Where == "hook":
			hook += record.Loss.Count
		case record.Kind == model.KindTeardown && ours(&record, r.listener):
			if ended = ended || ctx.Err() != nil; ended && sweeps > 0 {
				r.Errorf("%v is told at the end, want before", record.Teardown.Network)
			}
			told = append(told, record)
		}
	}
	return told, hook
}

func ours(r *model.Record, l net.Listener) bool {
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	return r.Teardown.Network.Local.Port == port || r.Teardown.Network.Peer.Port == port
}

// eachSweep runs a test in each mode, for the sweeps during the trace and for
// the last one.
func eachSweep(t *testing.T, test func(*sweepRun, time.Duration)) {
	t.Helper()
	if missing := missingCapabilities(); len(missing) > 0 {
		t.Skip(&PrivilegeError{missing})
	}
	for _, mode := range Modes() {
		for name, sweeps := range map[string]time.Duration{"/during": 4 * time.Second, "/at the end": 0} {
			t.Run(string(mode)+name, func(t *testing.T) { test(newSweepRun(t, mode), sweeps) })
		}
	}
}

// one checks that exactly one record was told of side, not as certain, with a
// loss.
func (r *sweepRun) one(told []model.Record, hook uint64, side net.Conn) model.Teardown {
	r.Helper()
	if hook == 0 {
		r.Error("no loss is told")
	}
	local, peer := addresses(side)
	var found []model.Teardown
	for i := range told {
		n := &told[i].Teardown.Network
		if n.Local.AddrPort() == local && n.Peer.AddrPort() == peer {
			found = append(found, told[i].Teardown)
		}
	}
	if len(found) != 1 {
		r.Fatalf("the end of %v is told %d times, want once", local, len(found))
	}
	if found[0].Confidence != model.Inferred || !found[0].Evidence.Gap {
		r.Errorf("confidence is %v, a gap %v, want inferred with a gap", found[0].Confidence, found[0].Evidence.Gap)
	}
	return found[0]
}

func addresses(c net.Conn) (local, peer netip.AddrPort) {
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
}

// TestHiddenEnd: the connection ends by a time-out, which the kernel shows to no
// program, and its descriptor is still open; another one lives.
func TestHiddenEnd(t *testing.T) {
	eachSweep(t, func(r *sweepRun, sweeps time.Duration) {
		ended, living := connected(r.T, r.listener), connected(r.T, r.listener)
		defer ended.client.Close()
		defer ended.server.Close()
		defer living.close()
		r.hide()
		timeOut(r.T, ended)
		told, hook := r.told(sweeps)
		end := r.one(told, hook, ended.client)
		if end.Verdict != model.Abortive || end.Cause != model.CauseUserTimeout || end.TCP.Error != "ETIMEDOUT" {
			r.Errorf("told %v %v %s, want abortive user-timeout ETIMEDOUT", end.Verdict, end.Cause, end.TCP.Error)
		}
		if len(told) != 1 {
			r.Errorf("%d ends are told, want 1: the others live", len(told))
		}
		if _, err := ended.client.Read(make([]byte, 1)); err == nil {
			r.Error("the connection did not time out")
		}
		if _, err := living.client.Write([]byte("x")); err != nil {
			r.Errorf("the other connection: %v", err)
		}
	})
}

// timeOut makes the client's side give up: its peer is deaf.
func timeOut(t *testing.T, c both) {
	t.Helper()
	drop := unix.SockFprog{Len: 1, Filter: &unix.SockFilter{Code: unix.BPF_RET}} // of no byte
	control(t, c.server, func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &drop)
	})
	control(t, c.client, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 10)
	})
	if _, err := c.client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	control(t, c.client, func(fd int) error {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, 10_000) // of an error
		return err
	})
}

func control(t *testing.T, c net.Conn, do func(fd int) error) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

// TestHiddenClose: both sides are closed and their sockets freed, or used again.
// What is told of them is not certain, and told once.
func TestHiddenClose(t *testing.T) {
	eachSweep(t, func(r *sweepRun, sweeps time.Duration) {
		closed := connected(r.T, r.listener)
		r.hide()
		closed.close()
		told, hook := r.told(sweeps)
		for _, side := range []net.Conn{closed.client, closed.server} {
			if end := r.one(told, hook, side); end.Verdict != model.VerdictUnknown && end.Verdict != model.Graceful {
				r.Errorf("verdict is %v, want graceful or unknown", end.Verdict)
			}
		}
	})
}

// TestHiddenReuse: the entry's socket has another connection. Nothing is known of
// the end then, and the other connection's is told as well.
func TestHiddenReuse(t *testing.T) {
	eachSweep(t, func(r *sweepRun, sweeps time.Duration) {
		c := connected(r.T, r.listener)
		defer c.close()
		gone := r.replace(c.server, 1)
		told, hook := r.told(sweeps)
		end := model.Teardown{}
		for i := range told {
			if told[i].Teardown.Network.Peer.Port == gone {
				end = told[i].Teardown
			}
		}
		if len(told) != 1 || end.Verdict != model.VerdictUnknown || end.TCP.Path.Last() != model.StateUnknown || hook != 1 {
			r.Errorf("told %d times, %v after %v, %d lost, want once, unknown after UNKNOWN, 1 lost",
				len(told), end.Verdict, end.TCP.Path.Last(), hook)
		}
	})
}

// replace makes the entry of a connection that of one with another peer, as if
// its end and the new one's begin had not been shown.
func (r *sweepRun) replace(c net.Conn, port uint16) uint16 {
	r.Helper()
	local, _ := addresses(c)
	conns := r.tr.loaded.objects.Maps["conns"]
	var key uint64
	var entry bpf.TraceEnd
	for all := conns.Iterate(); all.Next(&key, &entry); {
		if entry.LocalPort == local.Port() {
			entry.PeerPort = port
			if err := conns.Put(binary.NativeEndian.AppendUint64(nil, key), &entry); err != nil {
				r.Fatal(err)
			}
			return port
		}
	}
	r.Fatalf("no entry of %v", local)
	return 0
}
