//go:build linux

package tracer

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// TestReaderRunsLate: the reader found the ring empty and then waited for a processor,
// until a lingering close() was back in time and its time was over. The message of its
// return is in the ring by then.
func TestReaderRunsLate(t *testing.T) {
	const linger = 3 * time.Second // a deaf peer hears 0.2, 0.6 and 1.4 s after the first time
	tr := OpenOrSkip(t, Options{Mode: Tracepoint})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := connected(t, l)
	defer c.server.Close()
	c.deafServer(t, true)
	if err := c.client.(*net.TCPConn).SetLinger(int(linger.Seconds())); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	began, waited := time.Now(), make(chan time.Duration, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread's signal mask is not restored
		var urgent unix.Sigset_t
		urgent.Val[0] = 1 << (unix.SIGURG - 1) // the Go runtime's preemption would end the wait
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &urgent, nil); err != nil {
			t.Error(err)
		}
		c.client.Close()
		waited <- time.Since(began)
	}()
	tr.reader = &lateReader{ring: tr.reader, empty: func() {
		if waited == nil || time.Since(began) < 200*time.Millisecond {
			return
		}
		c.deafServer(t, false)
		if took := <-waited; took >= linger {
			t.Errorf("close() returned after %v, want less than %v", took, linger)
		}
		waited = nil
		time.Sleep(time.Until(began.Add(linger + 2*lingerGrace)))
		time.AfterFunc(time.Second, cancel)
	}}
	var verdicts []model.Verdict
	for r, err := range model.Judged(tr.Events(ctx)) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == model.KindTeardown && r.Teardown.Network.Local.Port == c.port() {
			verdicts = append(verdicts, r.Teardown.Verdict)
		}
	}
	if len(verdicts) != 1 || verdicts[0] != model.Graceful {
		t.Errorf("told as %v, want graceful", verdicts)
	}
}

// lateReader is a ring that notes when it was found empty.
type lateReader struct {
	ring
	empty func()
}

func (r *lateReader) ReadInto(to *ringbuf.Record) error {
	err := r.ring.ReadInto(to)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.empty()
	}
	return err
}

// deafServer lets the server's socket drop every segment, or hear again.
func (b both) deafServer(t *testing.T, deaf bool) {
	t.Helper()
	raw, err := b.server.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := unix.SO_DETACH_FILTER
	if deaf {
		option = unix.SO_ATTACH_FILTER
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET}}
	var setErr error
	err = raw.Control(func(fd uintptr) {
		setErr = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, option, &unix.SockFprog{Len: 1, Filter: &drop[0]})
	})
	if err := errors.Join(err, setErr); err != nil {
		t.Fatal(err)
	}
}
