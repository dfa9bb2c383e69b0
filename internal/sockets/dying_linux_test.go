package sockets

import (
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connects begins a connection whose SYNs nobody gets.
func connects(t *testing.T, d *dying, drop func()) netip.AddrPort {
	drop()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Error(err)
		return netip.AddrPort{}
	}
	t.Cleanup(func() { unix.Close(fd) })
	d.set(t, fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 9}); err != unix.EINPROGRESS {
		t.Errorf("connect: %v", err)
		return netip.AddrPort{}
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Error(err)
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*unix.SockaddrInet4).Port))
}

func (d *dying) set(t *testing.T, fd int) {
	if d.option[0] == 0 {
		return
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, d.option[0], d.option[1]); err != nil {
		t.Error(err)
	}
}

// pair connects two sockets; the first has the option.
func (d *dying) pair(t *testing.T, keepalive bool) (client, server *net.TCPConn) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	defer l.Close()
	dialer := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			d.set(t, int(fd))
			if keepalive {
				if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}}
	c, err := dialer.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	s, err := l.Accept()
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func addressOf(c *net.TCPConn) netip.AddrPort {
	a := c.LocalAddr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// sends sends data that is not acknowledged any more.
func sends(t *testing.T, d *dying, drop func()) netip.AddrPort {
	c, _ := d.pair(t, false)
	drop()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	return addressOf(c)
}

// cannotSend writes after a firewall of this host drops what it sends.
func cannotSend(t *testing.T, d *dying, _ func()) netip.AddrPort {
	c, _ := d.pair(t, false)
	filter := exec.Command("nft", "-f", "-")
	filter.Stdin = strings.NewReader("table ip o {\n chain o {\n type filter hook output priority 0;\n ip protocol tcp drop\n }\n}\n")
	if out, err := filter.CombinedOutput(); err != nil {
		t.Errorf("nft: %v %s", err, out)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	return addressOf(c)
}

func keepsAlive(t *testing.T, d *dying, drop func()) netip.AddrPort {
	c, _ := d.pair(t, true)
	drop()
	return addressOf(c)
}

// fillsAndIsAnswered sends until the window of a peer that does not read is closed.
func fillsAndIsAnswered(t *testing.T, d *dying, _ func()) netip.AddrPort {
	c, _ := d.pair(t, false)
	_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	if _, err := c.Write(make([]byte, 64<<20)); err == nil {
		t.Error("the peer has room for 64 MiB")
	}
	return addressOf(c)
}

func fills(t *testing.T, d *dying, drop func()) netip.AddrPort {
	defer drop()
	return fillsAndIsAnswered(t, d, drop)
}

func fillsClosesAndIsAnswered(t *testing.T, d *dying, _ func()) netip.AddrPort {
	return fillsAndCloses(t, d, func() {})
}

func fillsAndCloses(t *testing.T, d *dying, drop func()) netip.AddrPort {
	c, _ := d.pair(t, false)
	_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	_, _ = c.Write(make([]byte, 64<<20))
	drop()
	c.Close()
	return addressOf(c)
}

// closes closes the first side; its FIN is not acknowledged.
func closes(t *testing.T, d *dying, drop func()) netip.AddrPort {
	c, _ := d.pair(t, false)
	drop()
	c.Close()
	return addressOf(c)
}

// closesLast closes after the peer has; its FIN is not acknowledged.
func closesLast(t *testing.T, d *dying, drop func()) netip.AddrPort {
	c, s := d.pair(t, false)
	s.Close()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error(n, err)
	}
	drop()
	c.Close()
	return addressOf(c)
}

// closesFirst closes; the peer acknowledges and does not close.
func closesFirst(t *testing.T, d *dying, _ func()) netip.AddrPort {
	c, _ := d.pair(t, false)
	c.Close()
	return addressOf(c)
}
