package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/closetrace/closetrace/model"
	"golang.org/x/sys/unix"
)

const sockDiagByFamily = 20 // SOCK_DIAG_BY_FAMILY, include/uapi/linux/sock_diag.h

// timeWaitTimer is idiag_timer of a TIME_WAIT minisock, whose idiag_state is
// the state that it stands for (inet_diag.c, inet_twsk_diag_fill).
const timeWaitTimer = 3

// diag asks the kernel about single TCP sockets through NETLINK_SOCK_DIAG
// (include/uapi/linux/inet_diag.h).
type diag struct{ fd int }

// openDiag fails where the kernel has no INET_DIAG for TCP.
func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return &diag{fd}, nil
}

func (d *diag) close() { _ = unix.Close(d.fd) }

// find returns the connection's row; its state is Closed if there is none.
func (d *diag) find(local, peer netip.AddrPort) (socketRow, error) {
	row := socketRow{local: local, peer: peer, state: model.Closed}
	body, err := d.ask(sockDiagByFamily, unix.IPPROTO_TCP, local, peer)
	if errors.Is(err, unix.ENOENT) {
		return row, nil
	}
	if err != nil {
		return row, fmt.Errorf("look up socket: %w", err)
	}
	if len(body) < 64 {
		return row, fmt.Errorf("socket description of %d bytes", len(body))
	}
	row.state = model.State(body[1])
	switch {
	case row.state == model.Listen: // found in place of a connection
		row.state = model.Closed
	case body[2] == timeWaitTimer:
		row.state = model.TimeWait
	}
	row.unread = uint64(binary.NativeEndian.Uint32(body[56:]))
	row.unacked = uint64(binary.NativeEndian.Uint32(body[60:]))
	return row, nil
}

// destroy asks the kernel to end a socket, as ss -K does.
func (d *diag) destroy(protocol int, local, peer netip.AddrPort) error {
	_, err := d.ask(unix.SOCK_DESTROY, protocol, local, peer)
	return err
}

// ask sends a request about one socket and returns what follows the header of
// the answer.
func (d *diag) ask(kind uint16, protocol int, local, peer netip.AddrPort) ([]byte, error) {
	flags := uint16(unix.NLM_F_REQUEST)
	if kind == unix.SOCK_DESTROY {
		flags |= unix.NLM_F_ACK
	}
	message := diagRequest(kind, flags, protocol, local, peer)
	if err := unix.Sendto(d.fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(d.fd, answer, 0)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if n < unix.SizeofNlMsghdr+4 {
		return nil, fmt.Errorf("netlink answer of %d bytes", n)
	}
	body := answer[unix.SizeofNlMsghdr:n]
	if binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		if errno := -int32(binary.NativeEndian.Uint32(body)); errno != 0 {
			return nil, unix.Errno(errno)
		}
	}
	return body, nil
}

// diagRequest is a message with an inet_diag_req_v2.
func diagRequest(kind, flags uint16, protocol int, local, peer netip.AddrPort) []byte {
	native, network := binary.NativeEndian, binary.BigEndian
	const size = unix.SizeofNlMsghdr + 56
	b := native.AppendUint32(nil, size)
	b = native.AppendUint16(b, kind)
	b = native.AppendUint16(b, flags)
	b = native.AppendUint32(b, 1) // sequence
	b = native.AppendUint32(b, 0) // port id: the kernel's choice
	family := byte(unix.AF_INET)
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	b = append(b, family, byte(protocol), 0, 0)
	b = native.AppendUint32(b, ^uint32(0)) // any state
	b = network.AppendUint16(b, local.Port())
	b = network.AppendUint16(b, peer.Port())
	for _, a := range []netip.Addr{local.Addr(), peer.Addr()} {
		var field [16]byte
		copy(field[:], a.AsSlice())
		b = append(b, field[:]...)
	}
	b = native.AppendUint32(b, 0)             // interface
	return native.AppendUint64(b, ^uint64(0)) // cookie: INET_DIAG_NOCOOKIE
}

// probeDiag tries a request on a listener of its own, because a kernel that
// cannot load its TCP part gives the same error as for a missing socket.
func probeDiag(try func(d *diag, listener netip.AddrPort) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, sockaddr(anyPort)); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("get name: %w", err)
	}
	d, err := openDiag()
	if err != nil {
		return err
	}
	defer d.close()
	return try(d, addrPort(name))
}

func probeFind() error {
	return probeDiag(func(d *diag, listener netip.AddrPort) error {
		_, err := d.ask(sockDiagByFamily, unix.IPPROTO_TCP, listener, anyPort)
		return err
	})
}

func probeDestroy() error {
	return probeDiag(func(d *diag, listener netip.AddrPort) error {
		return d.destroy(unix.IPPROTO_TCP, listener, anyPort)
	})
}
