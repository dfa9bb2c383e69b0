package main

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestListTakesAtMostAsLongAsSS runs both programs in turn on 5,000 connections,
// and compares the best run of each: on a machine that does other things too
// only the best tells what a program takes. It fails only where
// CLOSETRACE_TIMING is set, on a machine that does nothing else.
func TestListTakesAtMostAsLongAsSS(t *testing.T) {
	needCapabilities(t)
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip("needs ss of iproute2")
	}
	closetrace := program(t)
	done := make(chan struct{})
	go func() { // in a thread that ends with it
		defer close(done)
		defer closeAll(crowd(t, 2500))
		list, ss := time.Hour, time.Hour
		tries := 0
		for tries < 5 || list > ss && tries < 60 && os.Getenv("CLOSETRACE_TIMING") != "" {
			tries++
			list = min(list, timeOf(t, closetrace, "list", "--all"))
			ss = min(ss, timeOf(t, "ss", "-tanpoie"))
		}
		t.Logf("list %v, ss %v, ratio %.2f, best of %d runs", list, ss, float64(list)/float64(ss), tries)
		if list > ss && os.Getenv("CLOSETRACE_TIMING") != "" {
			t.Errorf("list takes %v, ss %v: want at most as long", list, ss)
		}
	}()
	<-done
}

func timeOf(t *testing.T, name string, arguments ...string) time.Duration {
	c := exec.Command(name, arguments...) // its output goes to the null device
	began := time.Now()
	if err := c.Run(); err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

// crowd moves this thread into a network namespace of its own and opens pairs
// of connected sockets there, which the caller closes.
func crowd(t *testing.T, pairs int) (open []int) {
	check := func(err error) {
		if err != nil {
			t.Error(err)
			runtime.Goexit()
		}
	}
	runtime.LockOSThread()
	check(unix.Unshare(unix.CLONE_NEWNET))
	socket := func(kind int) int {
		fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
		check(err)
		return fd
	}
	loopback, err := unix.NewIfreq("lo")
	check(err)
	loopback.SetUint16(unix.IFF_UP)
	control, listener := socket(unix.SOCK_DGRAM), socket(unix.SOCK_STREAM)
	defer unix.Close(control)
	defer unix.Close(listener)
	check(unix.IoctlIfreq(control, unix.SIOCSIFFLAGS, loopback))
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 20_000, Max: 20_000}))
	check(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(unix.Listen(listener, 64))
	name, err := unix.Getsockname(listener)
	check(err)
	for range pairs {
		client := socket(unix.SOCK_STREAM)
		check(unix.Connect(client, name))
		server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		check(err)
		open = append(open, client, server)
	}
	return open
}

func closeAll(open []int) {
	for _, fd := range open {
		unix.Close(fd)
	}
}
