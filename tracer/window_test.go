//go:build linux

package tracer

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// TestPeerWindow compares the window at the end with TCP_INFO just before it: of a
// connection whose peer does not read, closed, and of its other end, open.
func TestPeerWindow(t *testing.T) {
	tr := OpenOrSkip(t, Options{})
	var (
		port uint16
		want map[bool]uint32 // by whether the client's end
	)
	records := sourcetest.RecordWhile(t, tr, func() { port, want = closeTheWindow(t) })
	if want[true] != 0 || want[false] == 0 {
		t.Fatalf("TCP_INFO has %v: the client's peer was to close its window", want)
	}
	ends := 0
	for i := range records {
		d := &records[i].Teardown
		client := d.Network.Peer.Port == port
		if records[i].Kind != model.KindTeardown || !client && d.Network.Local.Port != port {
			continue
		}
		ends++
		if got := d.TCP.PeerWindow; got != model.Some(want[client]) {
			t.Errorf("client %v: got %v, TCP_INFO has %d", client, got, want[client])
		}
	}
	if ends != 2 {
		t.Errorf("got %d ends, want 2", ends)
	}
}

// closeTheWindow lets a client write until its peer takes no more, and reset.
func closeTheWindow(t *testing.T) (port uint16, windows map[bool]uint32) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	windows = map[bool]uint32{}
	block := make([]byte, 1<<20)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		err := client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = client.Write(block); errors.Is(err, os.ErrDeadlineExceeded) && sendWindow(t, client) == 0 {
			break
		}
	}
	windows[true], windows[false] = sendWindow(t, client), sendWindow(t, server)
	if err := errors.Join(client.(*net.TCPConn).SetLinger(0), client.Close()); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), windows
}

// sendWindow reads tcpi_snd_wnd, which Linux has since 5.4.
func sendWindow(t *testing.T, c net.Conn) (window uint32) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err2 := raw.Control(func(fd uintptr) {
		var info *unix.TCPInfo
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			window = info.Snd_wnd
		}
	})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return window
}
