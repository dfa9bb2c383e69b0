package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// portOfSocket is the local port of an IPv4 socket.
func portOfSocket(t *testing.T, fd int) int {
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Error(err)
		return 0
	}
	return name.(*unix.SockaddrInet4).Port
}

// TestKillTwoHundred ends 200 connections at once, and none if one less is
// allowed. Each has a record: 200 causes destroyed, 200 peers see the RST.
func TestKillTwoHundred(t *testing.T) {
	withCrowd(t, 200, func(closetrace string, open []int) {
		filter := fmt.Sprintf("network.peer.port == %d", portOfSocket(t, open[1]))
		r := runProgram(t, exec.Command(closetrace, "kill", "--filter", filter, "--max", "199", "--yes"))
		if r.code != exitUsage || !strings.Contains(r.errors, "200 connections match, and at most 199 may be ended") {
			t.Errorf("--max 199: exit %d with %q, want %d and that 200 match", r.code, r.errors, exitUsage)
		}
		r = runProgram(t, exec.Command(closetrace, "kill", "--filter", filter, "--max", "200", "--yes"))
		if n := strings.Count(r.out, " destroyed "); r.code != 0 || n != 200 || !strings.Contains(r.out, "200 ended, 0 not") {
			t.Errorf("--max 200: exit %d, %d records with the cause destroyed, %q; want 200", r.code, n, r.errors)
		}
		for i := 1; i < len(open); i += 2 {
			if _, err := unix.Read(open[i], make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("a peer sees %v, want ECONNRESET", err)
			}
		}
	})
}

// TestKillProcess ends all connections of one process, both ends of each here,
// and needs no --max for it.
func TestKillProcess(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	done := make(chan struct{})
	go func() { // in a thread that ends with it
		defer close(done)
		open := crowd(t, 3)
		defer closeAll(open)
		r := runProgram(t, exec.Command(closetrace, "kill", "--process", fmt.Sprint(os.Getpid()), "--yes"))
		if r.code != 0 || !strings.Contains(r.out, "6 ended, 0 not") {
			t.Errorf("exit %d with %s%s, want 6 ended", r.code, r.out, r.errors)
		}
		for _, fd := range open {
			if _, err := unix.Read(fd, make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.ECONNABORTED) {
				t.Errorf("an end sees %v, want ECONNRESET or ECONNABORTED", err)
			}
		}
	}()
	<-done
}

// TestKillAsksAndTupleIsReused: while the question waits for its answer, the
// connection ends and another one takes its addresses. That one is left alone.
func TestKillAsksAndTupleIsReused(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	done := make(chan struct{})
	go func() { // in a thread that ends with it
		defer close(done)
		open := crowd(t, 1)
		client, peer := open[0], open[1]
		local, server := portOfSocket(t, client), portOfSocket(t, peer)
		c := exec.Command(closetrace, "kill", fmt.Sprintf("127.0.0.1:%d", local), fmt.Sprintf("127.0.0.1:%d", server))
		answer, out, errs := pipes(t, c)
		if err := c.Start(); err != nil {
			t.Error(err)
			return
		}
		if asked, _ := out.ReadString('?'); !strings.Contains(asked, "End this connection?") {
			t.Errorf("no question in %q", asked)
		}
		fresh := reuse(t, open, local, server)
		defer closeAll(fresh)
		fmt.Fprintln(answer, "y")
		text, _ := io.ReadAll(errs)
		if err := c.Wait(); err == nil || !strings.Contains(string(text), "another one with its addresses, if any, was left alone") {
			t.Errorf("exit %v with %q, want that it refuses", err, text)
		}
		if _, err := unix.Write(fresh[0], []byte("x")); err != nil {
			t.Errorf("the new connection was hit: %v", err)
		}
	}()
	<-done
}

func pipes(t *testing.T, c *exec.Cmd) (in io.Writer, out *bufio.Reader, errs io.Reader) {
	in, err := c.StdinPipe()
	if err != nil {
		t.Error(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Error(err)
	}
	if errs, err = c.StderrPipe(); err != nil {
		t.Error(err)
	}
	return in, bufio.NewReader(stdout), errs
}

// reuse ends a connection and makes another one with its addresses.
func reuse(t *testing.T, open []int, local, server int) (fresh []int) {
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	check(unix.SetsockoptLinger(open[0], unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})) // no TIME_WAIT
	closeAll(open)
	at := func(port int) int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		check(err)
		check(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		check(unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
		return fd
	}
	listener, client := at(server), at(local)
	check(unix.Listen(listener, 1))
	check(unix.Connect(client, &unix.SockaddrInet4{Port: server, Addr: [4]byte{127, 0, 0, 1}}))
	return []int{client, listener}
}

// TestKillByPort: a flag that chooses connections is enough, without an ID. Both ends of
// a connection within a host have the port, so that one alone is refused.
func TestKillByPort(t *testing.T) {
	withCrowd(t, 1, func(closetrace string, open []int) {
		port := fmt.Sprint(portOfSocket(t, open[0]))
		r := runProgram(t, exec.Command(closetrace, "kill", "--port", port, "--yes"))
		if r.code != exitUsage || !strings.Contains(r.errors, "2 connections match") {
			t.Errorf("exit %d with %q, want %d and that 2 match", r.code, r.errors, exitUsage)
		}
		r = runProgram(t, exec.Command(closetrace, "kill", "--port", port, "--max", "2", "--yes"))
		if r.code != exitOK {
			t.Errorf("exit %d with %q", r.code, r.errors)
		}
		if _, err := unix.Read(open[0], make([]byte, 1)); !errors.Is(err, unix.ECONNABORTED) && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the client reads %v, want that it was ended", err)
		}
	})
}

// TestKillLeavesListeners: a port's connections are ended, and the service goes on;
// its listener only by its ID or with --listeners.
func TestKillLeavesListeners(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	kill := func(args ...string) result {
		return runProgram(t, exec.Command(closetrace, append([]string{"kill", "--no-trace"}, args...)...))
	}
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // the kernel does not end MPTCP listeners
	for _, how := range []string{"--listeners", "ID"} {
		l, err := plain.Listen(t.Context(), "tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := strings.Cut(l.Addr().String(), ":")
		connect := func() net.Conn {
			c, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatalf("the service is down: %v", err)
			}
			t.Cleanup(func() { c.Close() })
			return c
		}

		r := kill("--port", port, "--yes")
		if r.code == exitOK { // once: a connection of another test had that port as its own
			r = kill("--port", port, "--yes")
		}
		if r.code != exitUsage || !strings.Contains(r.errors, "only listeners match (1)") {
			t.Errorf("a listener alone: exit %d with %s%s", r.code, r.out, r.errors)
		}
		c := connect()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		r = kill("--port", port, "--dry-run")
		for _, want := range []string{"1 matching listener left out", "without --dry-run this is refused: 2 connections match"} {
			if r.code != exitOK || !strings.Contains(r.out, want) {
				t.Errorf("--dry-run: exit %d without %q:\n%s", r.code, want, r.out)
			}
		}
		if r := kill("--port", port, "--max", "50", "--yes"); r.code != exitOK || !strings.Contains(r.out, "2 ended, 0 not") {
			t.Errorf("--port: exit %d with %s%s", r.code, r.out, r.errors)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection goes on")
		}
		connect() // the listener is there
		args := []string{"--filter", "network.local.port==" + port + "&&state==\"LISTEN\"", "--listeners", "--yes"}
		if how == "ID" {
			list := runProgram(t, exec.Command(closetrace, "list", "--json", "--listen", "--port", port))
			_, id, _ := strings.Cut(list.out, `"id":"`)
			id, _, _ = strings.Cut(id, `"`)
			args = []string{id, "--yes"}
		}
		if r := kill(args...); r.code != exitOK || !strings.Contains(r.out, "1 of these listen") {
			t.Errorf("%s: exit %d with %s%s", how, r.code, r.out, r.errors)
		}
		if _, err := net.Dial("tcp4", l.Addr().String()); err == nil {
			t.Errorf("%s: the listener is still there", how)
		}
	}
}
