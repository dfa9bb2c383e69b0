package sockets

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// manyConnections opens n connections on loopback and brings them into all
// states that last. The caller closes them.
func manyConnections(t *testing.T, n int) (keep func()) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	var open []int
	keep = func() {
		for _, fd := range open {
			unix.Close(fd)
		}
	}
	open = append(open, synReceived(t, 8)...)
	listener := listen(t, unix.AF_INET6, 4096)
	open = append(open, listener)
	for i := range n {
		to := &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: portOf(t, listener)}
		client := socketOf(t, unix.AF_INET6)
		if i%2 == 0 { // v4-mapped
			to.Addr = netip.MustParseAddr("::ffff:127.0.0.1").As16()
		}
		if err := unix.Connect(client, to); err != nil {
			t.Fatal(err)
		}
		server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, bringInto(t, i, client, server)...)
	}
	for range 3 { // connections that nobody accepts
		fd := socketOf(t, unix.AF_INET6)
		if err := unix.Connect(fd, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: portOf(t, listener)}); err != nil {
			t.Fatal(err)
		}
		open = append(open, fd)
	}
	open = append(open, synSent(t))
	return keep
}

// bringInto leaves one pair in a state chosen by i, and returns what stays open.
func bringInto(t *testing.T, i, client, server int) []int {
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(fd, n int) {
		_, err := unix.Write(fd, make([]byte, n))
		check(err)
	}
	switch i % 10 {
	case 1: // unread
		write(client, 512)
	case 2: // half-closed: FIN_WAIT2 and CLOSE_WAIT, held
		check(unix.Shutdown(client, unix.SHUT_WR))
	case 3: // the same with data before the FIN
		write(client, 100)
		check(unix.Shutdown(client, unix.SHUT_WR))
	case 4: // an orphan's minisock in FIN_WAIT2, and CLOSE_WAIT
		check(unix.Close(client))
		return []int{server}
	case 5: // TIME_WAIT
		check(unix.Close(client))
		check(unix.Close(server))
		return nil
	case 6: // unsent data that the window holds back
		if i < 300 {
			check(unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096))
			stuff(t, client)
		}
	case 7: // FIN_WAIT1: the FIN waits behind such data
		if i < 300 {
			stuff(t, client)
			check(unix.Shutdown(client, unix.SHUT_WR))
		}
	case 8: // and above it FIN_WAIT2 with CLOSING, and CLOSE_WAIT's end, LAST_ACK
		if i < 300 {
			stuff(t, client)
			shuts := []int{client, server} // the peer's FIN finds ours unacknowledged
			if i%20 == 8 {
				shuts = []int{server, client}
			}
			for _, fd := range shuts {
				check(unix.Shutdown(fd, unix.SHUT_WR))
			}
		}
	case 9:
		check(unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
	}
	return []int{client, server}
}

// stuff sends until the peer has no more room.
func stuff(t *testing.T, fd int) {
	t.Helper()
	must(t, unix.SetNonblock(fd, true))
	for {
		if _, err := unix.Write(fd, make([]byte, 65536)); err != nil {
			break
		}
	}
	must(t, unix.SetNonblock(fd, false))
}

// synReceived leaves n connections in SYN_RECV: the listener wants data before
// it takes a connection (TCP_DEFER_ACCEPT), and none comes.
func synReceived(t *testing.T, n int) (open []int) {
	t.Helper()
	open = []int{listen(t, unix.AF_INET, 64)}
	must(t, unix.SetsockoptInt(open[0], unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 600))
	for range n {
		fd := socketOf(t, unix.AF_INET)
		must(t, unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: portOf(t, open[0])}))
		open = append(open, fd)
	}
	return open
}

func socketOf(t *testing.T, family int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func listen(t *testing.T, family, backlog int) int {
	t.Helper()
	fd := socketOf(t, family)
	var at unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if family == unix.AF_INET6 {
		at = &unix.SockaddrInet6{}
	}
	if err := unix.Bind(fd, at); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		t.Fatal(err)
	}
	return fd
}

func portOf(t *testing.T, fd int) int {
	t.Helper()
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return a.Port
	case *unix.SockaddrInet6:
		return a.Port
	default:
		t.Fatalf("name is %T", name)
		return 0
	}
}

// synSent returns a socket whose SYN nobody answers: the listener's queue is
// full.
func synSent(t *testing.T) int {
	t.Helper()
	full := listen(t, unix.AF_INET, 0)
	t.Cleanup(func() { unix.Close(full) })
	last := -1
	for range 4 {
		last = socketOf(t, unix.AF_INET)
		fd := last
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.SetNonblock(last, true); err != nil {
			t.Fatal(err)
		}
		_ = unix.Connect(last, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: portOf(t, full)})
	}
	return socketOf(t, unix.AF_INET)
}
