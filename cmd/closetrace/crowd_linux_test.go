package main

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

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
	check(unix.Bind(listener, &unix.SockaddrInet4{}))
	check(unix.Listen(listener, 64))
	name, err := unix.Getsockname(listener)
	check(err)
	port := name.(*unix.SockaddrInet4).Port
	for i := range pairs {
		client := socket(unix.SOCK_STREAM)
		to := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, byte(1 + i/10_000)}} // an address has ports for 28,000
		check(unix.Connect(client, to))
		server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		check(err)
		open = append(open, client, server)
	}
	return open
}

// withCrowd plays with the program and a crowd, in a thread that ends with it.
func withCrowd(t *testing.T, pairs int, play func(closetrace string, open []int)) {
	t.Helper()
	needCapabilities(t)
	closetrace := program(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		open := crowd(t, pairs)
		defer closeAll(open)
		play(closetrace, open)
	}()
	<-done
}

func closeAll(open []int) {
	for _, fd := range open {
		unix.Close(fd)
	}
}
