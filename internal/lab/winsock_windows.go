package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// socket is a blocking TCP socket of Winsock, used with plain calls: package
// net would make it non-blocking.
type socket windows.Handle

var (
	ws2         = windows.NewLazySystemDLL("ws2_32.dll")
	acceptProc  = ws2.NewProc("accept")
	ioctlSocket = ws2.NewProc("ioctlsocket")
)

const (
	soSndbuf   = 0x1001
	soRcvbuf   = 0x1002
	soRcvtimeo = 0x1006
	fionbio    = 0x8004667E
)

// nameOf returns the name of a Winsock error in its reference.
func nameOf(err error) string {
	var code windows.Errno
	if !errors.As(err, &code) {
		return err.Error()
	}
	switch code {
	case windows.WSAEWOULDBLOCK:
		return wouldBlock
	case windows.WSAECONNRESET:
		return wasReset
	case windows.WSAECONNREFUSED:
		return wasRefused
	case windows.WSAECONNABORTED:
		return "WSAECONNABORTED"
	case windows.WSAENOTSOCK:
		return "WSAENOTSOCK"
	default:
		return fmt.Sprintf("error %d", uint32(code))
	}
}

func newSocket() (socket, error) {
	h, err := windows.Socket(windows.AF_INET, windows.SOCK_STREAM, windows.IPPROTO_TCP)
	if err != nil {
		return 0, fmt.Errorf("open socket: %w", err)
	}
	err = errors.Join(
		windows.SetsockoptInt(h, windows.SOL_SOCKET, soSndbuf, buffer),
		windows.SetsockoptInt(h, windows.SOL_SOCKET, soRcvbuf, buffer))
	if err != nil {
		return 0, errors.Join(fmt.Errorf("set buffers: %w", err), windows.Closesocket(h))
	}
	return socket(h), nil
}

func (s socket) close() error { return windows.Closesocket(windows.Handle(s)) }

func (s socket) bind() error {
	return windows.Bind(windows.Handle(s), &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
}

func (s socket) listen() error {
	if err := s.bind(); err != nil {
		return fmt.Errorf("bind to loopback: %w", err)
	}
	return windows.Listen(windows.Handle(s), 1)
}

func (s socket) address() (netip.AddrPort, error) {
	a, err := windows.Getsockname(windows.Handle(s))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask for address: %w", err)
	}
	v4, ok := a.(*windows.SockaddrInet4)
	if !ok {
		return netip.AddrPort{}, errors.New("ask for address: not one of IPv4")
	}
	return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), uint16(v4.Port)), nil
}

func (s socket) connect(to netip.AddrPort) error {
	err := windows.Connect(windows.Handle(s), &windows.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

func (s socket) accept() (socket, error) {
	h, _, err := acceptProc.Call(uintptr(s), 0, 0)
	if windows.Handle(h) == windows.InvalidHandle {
		return 0, fmt.Errorf("accept: %w", err)
	}
	return socket(h), nil
}

func (s socket) setLinger(on bool, seconds int) error {
	l := windows.Linger{Linger: int32(seconds)}
	if on {
		l.Onoff = 1
	}
	return windows.SetsockoptLinger(windows.Handle(s), windows.SOL_SOCKET, windows.SO_LINGER, &l)
}

func (s socket) setNonblocking(on bool) error {
	var arg uint32
	if on {
		arg = 1
	}
	if failed, _, err := ioctlSocket.Call(uintptr(s), fionbio, uintptr(unsafe.Pointer(&arg))); failed != 0 {
		return fmt.Errorf("set FIONBIO: %w", err)
	}
	return nil
}

func (s socket) send(b []byte) error {
	n := uint32(0)
	return windows.WSASend(windows.Handle(s), &windows.WSABuf{Len: uint32(len(b)), Buf: &b[0]}, 1, &n, 0, nil, nil)
}

// fill sends until nothing more fits.
func (s socket) fill() error {
	const most = 64 << 20
	b := make([]byte, buffer)
	for sent := 0; sent < most; sent += len(b) {
		err := s.send(b)
		switch {
		case errors.Is(err, windows.WSAEWOULDBLOCK):
			return nil
		case err != nil:
			return fmt.Errorf("send: %w", err)
		}
	}
	return errors.New("the peer does not read, and more and more fits")
}

func (s socket) shutdown() error { return windows.Shutdown(windows.Handle(s), windows.SHUT_WR) }

// drain reads to the end and returns the name of its error, if it was one.
func (s socket) drain() string {
	if err := windows.SetsockoptInt(windows.Handle(s), windows.SOL_SOCKET, soRcvtimeo, int(patience/time.Millisecond)); err != nil {
		return nameOf(err)
	}
	b := make([]byte, buffer)
	for {
		var n, flags uint32
		err := windows.WSARecv(windows.Handle(s), &windows.WSABuf{Len: uint32(len(b)), Buf: &b[0]}, 1, &n, &flags, nil, nil)
		if err != nil {
			return nameOf(err)
		}
		if n == 0 {
			return ""
		}
	}
}
