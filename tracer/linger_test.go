//go:build linux

package tracer_test

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// lingering is one close() that waited in vain.
type lingering struct {
	ports           [2]uint16 // local and peer: a local port alone may serve two connections
	began, returned time.Time
	told            time.Time
	blocked         model.Opt[time.Duration]
}

// TestLingerPrompt: an expired linger is reported soon after it expired, and how long
// close() blocked is right: the median of five, because the machine may be an emulated
// one.
func TestLingerPrompt(t *testing.T) {
	for _, mode := range tracer.TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := open(t, tracer.Options{Mode: mode})
			runs := lingerFiveTimes(t, tr)
			var late, off []time.Duration
			for _, r := range runs {
				if r.told.IsZero() {
					t.Fatalf("no linger-timeout of ports %d", r.ports)
				}
				since := r.returned
				if !mode.SeesFunctions() {
					since = r.began.Add(time.Second)
				}
				late = append(late, r.told.Sub(since))
				off = append(off, (r.blocked.Or(0) - r.returned.Sub(r.began)).Abs())
			}
			slices.Sort(late)
			slices.Sort(off)
			limit := 100 * time.Millisecond
			if !mode.SeesFunctions() {
				limit = 200 * time.Millisecond
			}
			if late[2] > limit {
				t.Errorf("told %v late, want at most %v: all %v", late[2], limit, late)
			}
			if off[2] > 50*time.Millisecond { // 5 % of a second
				t.Errorf("blocked time is wrong by %v: all %v", off[2], off)
			}
			t.Logf("told late by %v, blocked time off by %v", late, off)
		})
	}
}

func lingerFiveTimes(t *testing.T, tr *tracer.Tracer) []lingering {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var runs []lingering
	go func() {
		defer cancel()
		for range 5 {
			runs = append(runs, lingerOnce(t))
		}
		time.Sleep(time.Second) // what comes later than this is too late in any case
	}()
	type telling struct {
		at      time.Time
		blocked model.Opt[time.Duration]
	}
	told := map[[2]uint16]telling{}
	for r, err := range model.Judged(tr.Events(ctx)) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == model.KindTeardown && r.Teardown.Verdict == model.LingerTimeout {
			told[portsOf(&r.Teardown)] = telling{time.Now(), r.Teardown.CloseBlocked}
		}
	}
	for i := range runs {
		runs[i].told, runs[i].blocked = told[runs[i].ports].at, told[runs[i].ports].blocked
	}
	return runs
}

func portsOf(t *model.Teardown) [2]uint16 {
	return [2]uint16{t.Network.Local.Port, t.Network.Peer.Port}
}

// lingerOnce closes a connection whose peer hears nothing.
func lingerOnce(t *testing.T) (r lingering) {
	runtime.LockOSThread() // and never unlocked: the thread's signal mask is not restored
	var urgent unix.Sigset_t
	urgent.Val[0] = 1 << (unix.SIGURG - 1) // the Go runtime's preemption would end the wait
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &urgent, nil); err != nil {
		t.Error(err)
		return r
	}
	listener, port, err := listenTCP()
	if err != nil {
		t.Error(err)
		return r
	}
	defer unix.Close(listener)
	fd, err := dialTCP([4]byte{}, port)
	if err != nil {
		t.Error(err)
		return r
	}
	peer, _, err := unix.Accept(listener)
	if err != nil {
		t.Error(err)
		return r
	}
	defer unix.Close(peer)
	deaf := []unix.SockFilter{{Code: unix.BPF_RET}}
	if err := unix.SetsockoptSockFprog(peer, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &deaf[0]}); err != nil {
		t.Error(err)
	}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 1}); err != nil {
		t.Error(err)
	}
	if _, err := unix.Write(fd, []byte("hello")); err != nil {
		t.Error(err)
	}
	r.ports = [2]uint16{uint16(localPort(fd)), uint16(port)}
	r.began = time.Now()
	if err := unix.Close(fd); err != nil {
		t.Error(err)
	}
	r.returned = time.Now()
	return r
}

// TestLingerMany: of closes that wait side by side each is reported; if the kernel can
// keep all their returns, with its own time.
func TestLingerMany(t *testing.T) {
	for _, mode := range []tracer.Mode{tracer.Fentry, tracer.Kprobe} {
		t.Run(string(mode), func(t *testing.T) {
			tr := open(t, tracer.Options{Mode: mode})
			var runs [64]lingering
			records := collect(t, tr, func() {
				var closes sync.WaitGroup
				for i := range runs {
					closes.Go(func() { runs[i] = lingerOnce(t) })
				}
				closes.Wait()
				time.Sleep(time.Second)
			})
			told := map[[2]uint16]*model.Teardown{}
			for i := range records {
				if r := &records[i]; r.Kind == model.KindTeardown {
					told[portsOf(&r.Teardown)] = &r.Teardown
				}
			}
			exact := 0
			for _, r := range runs {
				end := told[r.ports]
				if end == nil || end.Verdict != model.LingerTimeout {
					t.Errorf("ports %d are told as %+v, want a linger-timeout", r.ports, end)
					continue
				}
				took := r.returned.Sub(r.began)
				// The process may have waited for a processor before and after.
				if returned, ok := end.Evidence.Wait.Returned.Get(); ok && returned <= took {
					exact++
				}
			}
			if exact < len(runs) && (mode == tracer.Fentry || keepsAllReturns(t)) {
				t.Errorf("the returns of %d closes were seen, want %d", exact, len(runs))
			}
			t.Logf("the returns of %d closes of %d were seen", exact, len(runs))
		})
	}
}

// keepsAllReturns: fprobe stands on the function graph tracer (4346ba160409).
func keepsAllReturns(t *testing.T) bool {
	t.Helper()
	symbols, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(symbols, []byte(" fprobe_return\n"))
}
