package sockets

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// TestDoomComesTrue: what is foretold of dying connections is what then happens: the
// witness is the error that the socket gets, and when.
func TestDoomComesTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the kernel's timers")
	}
	for _, program := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs " + program)
		}
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test, and its namespace
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root: %v", err)
	}
	run := func(input string, command ...string) {
		c := exec.Command(command[0], command[1:]...)
		c.Stdin = strings.NewReader(input)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %v %s", command, err, out)
		}
	}
	run("", "ip", "link", "set", "lo", "up")
	run("", "sysctl", "-qw", "net.ipv4.tcp_retries2=4", "net.ipv4.tcp_keepalive_probes=4", "net.ipv4.tcp_keepalive_intvl=1")
	retransmits, probes, stuck := dialPair(t, false), dialPair(t, true), dialPair(t, false)
	stuck[1].Close()
	run("table ip t {\n chain i {\n type filter hook input priority 0;\n tcp dport != 0 drop\n }\n}\n", "nft", "-f", "-")
	if _, err := retransmits[0].Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	waiting := map[string]*net.TCPConn{"retransmit-timeout": retransmits[0], "keepalive-timeout": probes[0]}
	foretold := map[string]time.Time{}
	for range 100 {
		all, err := List(context.Background(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if left, known := c.Doom.Left.Get(); known && foretold[c.Doom.Cause.String()].IsZero() && isOf(&c, waiting[c.Doom.Cause.String()]) {
				foretold[c.Doom.Cause.String()] = time.Now().Add(left)
				t.Log(c.Doom.At(time.Now()))
			}
		}
		if len(foretold) == 2 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var reads sync.WaitGroup
	for cause, conn := range waiting {
		reads.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			_, err := conn.Read(make([]byte, 1))
			if late := time.Since(foretold[cause]); err == nil || foretold[cause].IsZero() || late.Abs() > time.Second {
				t.Errorf("%s: %v, %v after what was foretold", cause, err, late)
			}
		})
	}
	reads.Wait()
	time.Sleep(max(0, closeWaitLeast-time.Since(foretold["keepalive-timeout"])))
	all, err := List(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range all {
		found = found || c.State == model.CloseWait && isOf(&c, stuck[0]) && strings.HasPrefix(c.Doom.Text, "CLOSE_WAIT for 1")
	}
	if !found {
		t.Error("what is stuck in CLOSE_WAIT was not found")
	}
}

func isOf(c *Conn, conn *net.TCPConn) bool {
	return conn != nil && fmt.Sprint(c.Network.Local.AddrPort()) == conn.LocalAddr().String() && fmt.Sprint(c.Network.Peer.AddrPort()) == conn.RemoteAddr().String()
}

// dialPair returns both ends of a connection on loopback.
func dialPair(t *testing.T, keepalive bool) (ends [2]*net.TCPConn) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: keepalive, Idle: time.Second, Interval: time.Second, Count: 4}}
	if !keepalive {
		dialer.KeepAlive = -1
	}
	c, err := dialer.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return [2]*net.TCPConn{c.(*net.TCPConn), s.(*net.TCPConn)}
}
