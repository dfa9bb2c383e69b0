package main

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// payload is what each side sends to the other, in bytes.
const payload = 64

// serverNet begins the address of every server of the generator, and so is in
// each line of each tool that is about one of its connections.
const serverNet = "127.255.0."

// modes are the ways in which the generator ends connections.
var modes = map[string]func(client, server int, n uint64) error{
	"graceful": func(client, server int, _ uint64) error { return endGraceful(client, server) },
	"linger0":  func(client, server int, _ uint64) error { return endLingerZero(client, server) },
	"unread":   func(client, server int, _ uint64) error { return endUnread(client, server) },
	"mixed": func(client, server int, n uint64) error {
		switch n % 4 {
		case 0:
			return endLingerZero(client, server)
		case 1:
			return endUnread(client, server)
		default:
			return endGraceful(client, server)
		}
	},
}

// segments is how many segments with FIN or RST a connection has, by mode: what
// packet tools see of it.
var segments = map[string]float64{"graceful": 2, "linger0": 1, "unread": 1, "mixed": 1.5}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}

func listen(at *unix.SockaddrInet4) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, at); err != nil {
		return 0, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, 128); err != nil {
		return 0, fmt.Errorf("listen: %w", err)
	}
	return fd, nil
}

// clientAddress spreads clients over 127.0/9, 8,192 connections to an address,
// so that ports in TIME_WAIT do not run out: 64 workers of 512 addresses.
func clientAddress(worker int, n uint64) [4]byte {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 127<<24|uint32(worker%64)<<17|uint32(n/8192%512)<<8|1)
	return a
}

// connection returns both descriptors of a new connection.
func connection(listener int, server *unix.SockaddrInet4, worker int, n uint64) (client, accepted int, err error) {
	client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	if err := unix.SetsockoptInt(client, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return 0, 0, err
	}
	if err := unix.Bind(client, &unix.SockaddrInet4{Addr: clientAddress(worker, n)}); err != nil {
		return 0, 0, fmt.Errorf("bind client: %w", err)
	}
	if err := unix.Connect(client, server); err != nil {
		return 0, 0, fmt.Errorf("connect: %w", err)
	}
	if accepted, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
		return 0, 0, fmt.Errorf("accept: %w", err)
	}
	return client, accepted, nil
}

func exchange(client, server int) error {
	var buffer [payload]byte
	for _, pair := range [2][2]int{{client, server}, {server, client}} {
		if _, err := unix.Write(pair[0], buffer[:]); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if _, err := unix.Read(pair[1], buffer[:]); err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
	return nil
}

func endGraceful(client, server int) error {
	if err := unix.Close(client); err != nil {
		return err
	}
	return unix.Close(server)
}

func endLingerZero(client, server int) error {
	if err := unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	return endGraceful(client, server)
}

func endUnread(client, server int) error {
	var buffer [payload]byte
	if _, err := unix.Write(server, buffer[:]); err != nil {
		return err
	}
	return endGraceful(client, server)
}
