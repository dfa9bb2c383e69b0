//go:build linux

package tracer_test

import (
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// TestFilterInKernel: of connections between two addresses, by IPv4 and from IPv6
// sockets, the kernel reports only the ends whose peer, port or namespace was asked for.
func TestFilterInKernel(t *testing.T) {
	one, two := netip.MustParseAddr("127.77.1.9"), netip.MustParseAddr("127.78.1.9")
	tests := map[string]struct {
		options func(port int) tracer.Options
		want    map[netip.Addr]int // ends by peer: of each connection both
	}{
		"network": {func(int) tracer.Options { return tracer.Options{Peer: netip.MustParsePrefix("127.77.0.0/16")} }, map[netip.Addr]int{one: 4}},
		"address": {func(int) tracer.Options { return tracer.Options{Peer: netip.PrefixFrom(two, 32)} }, map[netip.Addr]int{two: 4}},
		"all":     {func(int) tracer.Options { return tracer.Options{Peer: netip.MustParsePrefix("0.0.0.0/0")} }, map[netip.Addr]int{one: 4, two: 4}},
		"IPv6":    {func(int) tracer.Options { return tracer.Options{Peer: netip.MustParsePrefix("fd00::/8")} }, nil},
		"port":    {func(port int) tracer.Options { return tracer.Options{Port: uint16(port)} }, map[netip.Addr]int{one: 4, two: 4}},
		"another": {func(port int) tracer.Options { return tracer.Options{Port: uint16(port ^ 1)} }, nil},
		"netns":   {func(int) tracer.Options { return tracer.Options{NetNS: 1} }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			listener, port, err := listenAll()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(listener)
			got := map[netip.Addr]int{}
			for _, r := range collect(t, open(t, test.options(port)), func() {
				for _, to := range []netip.Addr{one, two} {
					if err := connectEachWay(listener, to, port); err != nil {
						t.Error(err)
					}
				}
			}) {
				n := r.Teardown.Network
				if r.Kind == model.KindTeardown && (int(n.Local.Port) == port || int(n.Peer.Port) == port) {
					got[n.Peer.Address]++
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got ends with the peers %v, want %v", got, test.want)
			}
		})
	}
}

// listenAll listens on all addresses of IPv4 and IPv6.
func listenAll() (listener, port int, err error) {
	if listener, err = unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if err := unix.Bind(listener, &unix.SockaddrInet6{}); err != nil {
		return 0, 0, err
	}
	name, err := unix.Getsockname(listener)
	if err != nil {
		return 0, 0, err
	}
	return listener, name.(*unix.SockaddrInet6).Port, unix.Listen(listener, 8)
}

// connectEachWay makes a connection by an IPv4 socket and one by an IPv6 socket, each
// from the address that it goes to.
func connectEachWay(listener int, to netip.Addr, port int) error {
	mapped := to.As16()
	for family, addresses := range map[int][2]unix.Sockaddr{
		unix.AF_INET:  {&unix.SockaddrInet4{Addr: to.As4()}, &unix.SockaddrInet4{Addr: to.As4(), Port: port}},
		unix.AF_INET6: {&unix.SockaddrInet6{Addr: mapped}, &unix.SockaddrInet6{Addr: mapped, Port: port}},
	} {
		client, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Bind(client, addresses[0]); err != nil {
			return err
		}
		if err := unix.Connect(client, addresses[1]); err != nil {
			return err
		}
		server, _, err := unix.Accept(listener)
		if err != nil {
			return err
		}
		unix.Close(client)
		unix.Close(server)
	}
	return nil
}
