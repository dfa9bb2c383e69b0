package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// program returns the path of a copy of the test program whose name makes it
// closetrace: it starts itself again, which must not start the tests.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "closetrace")
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// programForAll is program for other users too.
func programForAll(t *testing.T) string {
	t.Helper()
	path := program(t)
	folder := filepath.Dir(path)
	if err := errors.Join(os.Chmod(filepath.Dir(folder), 0o755), os.Chmod(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// result is what a run of the program left.
type result struct {
	code        int
	out, errors string
}

// runProgram runs a command line and waits for its end.
func runProgram(t *testing.T, c *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

// needCapabilities skips a test if this process lacks the capabilities, unless
// CLOSETRACE_REQUIRE wants the test.
func needCapabilities(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	if data[0].Effective>>unix.CAP_NET_ADMIN&1 == 1 && data[0].Effective>>unix.CAP_SYS_ADMIN&1 == 1 {
		return
	}
	if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "bpf") {
		t.Fatal("needs root with all capabilities")
	}
	t.Skip("needs root with all capabilities")
}

// pair is a connection over loopback, both ends ours.
type pair struct{ client, server *net.TCPConn }

func newPair(t *testing.T) *pair {
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
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{client.(*net.TCPConn), server.(*net.TCPConn)}
	t.Cleanup(func() { client.Close(); server.Close() })
	return p
}

// port is the client's. Another connection of this host may have it, to another
// peer.
func (p *pair) port() string { return portOf(p.client.LocalAddr()) }

// otherPort is the server's.
func (p *pair) otherPort() string { return portOf(p.server.LocalAddr()) }

func portOf(a net.Addr) string { return strconv.Itoa(a.(*net.TCPAddr).Port) }

// expression is true for the client's end only.
func (p *pair) expression() string {
	return "network.local.port==" + p.port() + "&&network.peer.port==" + p.otherPort()
}

// patience bounds every wait for the other end.
const patience = 5 * time.Second

// alive reports whether data still goes through.
func (p *pair) alive(t *testing.T) bool {
	t.Helper()
	p.server.SetReadDeadline(time.Now().Add(patience))
	if _, err := p.client.Write([]byte("x")); err != nil {
		return false
	}
	_, err := p.server.Read(make([]byte, 1))
	return err == nil
}

// end returns how the server's side learns of the end.
func (p *pair) end() error {
	p.server.SetReadDeadline(time.Now().Add(patience))
	_, err := p.server.Read(make([]byte, 1))
	return err
}
