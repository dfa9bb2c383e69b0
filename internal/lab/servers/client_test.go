//go:build linux

package servers_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// forks keeps the test's process from closing a connection while it starts
// another program. Between fork and exec that has all descriptors too, and
// would be the last to close, rightly reported as the closer. When Start
// returns it has let go of them: it waits for the end of a pipe that exec
// closes with the others.
var forks sync.RWMutex

func fork(command *exec.Cmd) error {
	forks.Lock()
	defer forks.Unlock()
	return command.Start()
}

// client is a connection of the test's own process.
type client struct{ net.Conn }

func (c client) Close() error {
	forks.RLock()
	defer forks.RUnlock()
	return c.Conn.Close()
}

// connect connects from the test's own process; buffer, if not 0, is SO_RCVBUF.
func (b *bench) connect(port uint16, buffer int) (net.Conn, error) {
	dialer := net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if buffer != 0 {
			raw.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
			})
		}
		return err
	}}
	var conn net.Conn
	err := b.do(func() (err error) {
		conn, err = dialer.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		return err
	})
	if err != nil {
		return nil, err
	}
	conn = client{conn}
	b.Cleanup(func() { conn.Close() })
	return conn, conn.SetDeadline(time.Now().Add(patience))
}

// dial connects and must not fail.
func (b *bench) dial(port uint16, buffer int) net.Conn {
	b.Helper()
	conn, err := b.connect(port, buffer)
	if err != nil {
		b.Fatalf("connect: %v", err)
	}
	return conn
}

// self is the test's own process.
func (b *bench) self() party {
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		b.Fatalf("read own name: %v", err)
	}
	return party{pid: os.Getpid(), name: strings.TrimSpace(string(name))}
}

const getRoot = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

// send writes a request.
func (b *bench) send(conn net.Conn, request string) {
	b.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		b.Fatalf("send: %v", err)
	}
}

// answer reads until the server has said text.
func (b *bench) answer(conn net.Conn, text string) {
	b.Helper()
	var got strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(got.String(), text) {
		n, err := conn.Read(buffer)
		got.Write(buffer[:n])
		if err != nil {
			b.Fatalf("read %q: %v after %q", text, err, got.String())
		}
	}
}

// readOut reads to the end, FIN or RST, and closes.
func (b *bench) readOut(conn net.Conn) {
	io.Copy(io.Discard, conn)
	conn.Close()
}
