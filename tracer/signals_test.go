//go:build linux

package tracer_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// signalled connects to the port of its first argument and ends by SIGTERM: of a timer of
// its own if it has a second argument.
func signalled() error {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	if _, err := dialTCP([4]byte{}, port); err != nil {
		return err
	}
	if len(os.Args) > 2 {
		event := struct { // struct sigevent
			value          uint64
			signal, notify int32
			rest           [48]byte
		}{signal: int32(syscall.SIGTERM)}
		var timer int32
		if _, _, errno := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, ptr(&event), ptr(&timer)); errno != 0 {
			return errno
		}
		once := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(300 * time.Millisecond))}
		if _, _, errno := unix.Syscall6(unix.SYS_TIMER_SETTIME, uintptr(timer), 0, ptr(&once), 0, 0, 0); errno != 0 {
			return errno
		}
	}
	fmt.Println("connected")
	time.Sleep(time.Minute)
	return nil
}

// TestWhoSignalled: a signal is of the process that sent it. One of a timer is of nobody,
// though something else ran when the timer expired.
func TestWhoSignalled(t *testing.T) {
	requireRoot(t)
	for _, mode := range labModes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := open(t, tracer.Options{Mode: mode})
			listener, port, err := listenTCP()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(listener)
			for range runtime.NumCPU() {
				spinner := command("spin")
				if err := spinner.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() {
					_ = spinner.Process.Kill()
					_ = spinner.Wait()
				}()
			}
			killed := command("signalled", strconv.Itoa(port))
			forged := command("signalled", strconv.Itoa(port))
			timed := command("signalled", strconv.Itoa(port), "timer")
			records := collect(t, tr, func() {
				for _, cmd := range []*exec.Cmd{killed, forged, timed} {
					keep(t, cmd)
				}
				_ = killed.Process.Signal(syscall.SIGTERM)
				// As if a timer had sent it.
				info := [32]int32{0: int32(syscall.SIGTERM), 2: -2}
				if _, _, errno := unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(forged.Process.Pid), uintptr(syscall.SIGTERM), ptr(&info)); errno != 0 {
					t.Error(errno)
				}
				for range 3 { // each connection has ended
					server, _, err := unix.Accept(listener)
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = unix.Read(server, make([]byte, 1))
					unix.Close(server)
				}
				time.Sleep(time.Second) // the last FIN may be left to ksoftirqd
			})
			want := map[int]int{killed.Process.Pid: os.Getpid(), forged.Process.Pid: os.Getpid(), timed.Process.Pid: 0}
			for i := range records {
				d := &records[i].Teardown
				sender, ours := want[d.Process.PID]
				if records[i].Kind != model.KindTeardown || !ours {
					continue
				}
				delete(want, d.Process.PID)
				if s := d.Signalled; s.Number != int(syscall.SIGTERM) || s.PID != sender || (s.Name == "") != (sender == 0) {
					t.Errorf("signalled by %+v, want SIGTERM by process %d", s, sender)
				}
			}
			if len(want) > 0 {
				t.Errorf("no end of %v", want)
			}
		})
	}
}
