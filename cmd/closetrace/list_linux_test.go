package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestList(t *testing.T) {
	closetrace := program(t)
	p := newPair(t)
	if _, err := p.client.Write(make([]byte, 512)); err != nil {
		t.Fatal(err)
	}
	if err := p.server.SetLinger(5); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		arguments string
		code      int
		out       string // must be in it
		lines     int
	}{
		{"list --port PORT", 0, "would reset: 512 bytes unread", 3},
		{"ps --port PORT --filter linger.on", 0, "5 s", 2},
		{"list --port PORT --sort -queue.receive --wide", 0, "tcp", 3},
		{"list --port PORT --state established --json", 0, `"effect":"reset","cause":"unread-data","bytes":512`, 2},
		{"list --port PORT --state TIME_WAIT", 0, "STATE", 1},
		{"list --port PORT --peer 127.0.0.0/8", 0, "127.0.0.1:PORT", 3},
		{"list --port PORT --peer 10.0.0.0/8", 0, "STATE", 1},
		{"list --listen --port PORT", 0, "STATE", 1},
		{"list --filter stat==1", 2, "", 0},
		{"list --sort nonsense", 2, "", 0},
		{"list --state NONSENSE", 2, "", 0},
		{"list --watch=soon", 2, "", 0},
		{"list me", 2, "", 0},
		{"list --peer me", 2, "", 0},
	} {
		// With the PID, because others on this host may use the port too.
		line := strings.ReplaceAll(c.arguments, "--port PORT", "--port "+p.port()+" --pid "+strconv.Itoa(os.Getpid()))
		r := runProgram(t, exec.Command(closetrace, strings.Fields(line)...))
		if want := strings.ReplaceAll(c.out, "PORT", p.port()); r.code != c.code || !strings.Contains(r.out, want) || strings.Count(r.out, "\n") != c.lines {
			t.Errorf("%s: exit %d with %q, %q; want %d, %d lines and %q", line, r.code, r.out, r.errors, c.code, c.lines, want)
		}
	}
}

// TestListHostileName: a process may call itself anything.
func TestListHostileName(t *testing.T) {
	closetrace := program(t)
	p := newPair(t)
	old, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile("/proc/self/comm", old, 0)
	if err := os.WriteFile("/proc/self/comm", []byte("\x1b[31mevil\u202e"), 0); err != nil {
		t.Fatal(err)
	}
	r := runProgram(t, exec.Command(closetrace, "list", "--port", p.port()))
	if strings.ContainsAny(r.out, "\x1b\u202e") || !strings.Contains(r.out, `\x1b[31mevil`) {
		t.Errorf("the name came through: %q", r.out)
	}
}

func TestListWatch(t *testing.T) {
	closetrace := program(t)
	p := newPair(t)
	c := exec.Command(closetrace, "list", "--watch=10ms", "--port", p.port())
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tables := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ID ") {
			if tables++; tables == 3 {
				c.Process.Signal(syscall.SIGINT)
			}
		}
	}
	if err := c.Wait(); err != nil || tables < 3 {
		t.Errorf("%d tables, then %v; want 3 at least and a clean end", tables, err)
	}
}

func TestListJSONDecodes(t *testing.T) {
	closetrace := program(t)
	p := newPair(t)
	r := runProgram(t, exec.Command(closetrace, "list", "--json", "--port", p.port()))
	for line := range strings.Lines(r.out) {
		var c struct {
			Kind, Schema string
			Process      struct{ PID int }
			State        string
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Error(err)
		}
		if c.Kind != "connection" || c.Schema != "closetrace/1" || c.State != "ESTABLISHED" || c.Process.PID != os.Getpid() {
			t.Errorf("line %s decodes to %+v", line, c)
		}
	}
}

func TestKill(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	for _, c := range []struct {
		name, arguments, answer string
		code                    int
		out                     string
		alive                   bool
	}{
		{"nothing told", "", "", 2, "", true},
		{"only a port", "--port PORT", "", 2, "", true},
		{"both ends of it", "--filter BOTH --yes", "", 2, "", true},
		{"a filter that is wrong", "--filter nonsense --yes", "", 2, "", true},
		{"one address", "127.0.0.1:PORT --yes", "", 2, "", true},
		{"no address", "127.0.0.1:x 127.0.0.1:y --yes", "", 2, "", true},
		{"an id that nobody has", "1-1 --yes", "", 1, "", true},
		{"dry run", "--filter network.local.port==PORT&&network.peer.port==OTHER --dry-run", "", 0, "127.0.0.1:PORT", true},
		{"no answer", "--filter network.local.port==PORT&&network.peer.port==OTHER", "", 1, "End this connection? [y/N]", true},
		{"the answer no", "--filter network.local.port==PORT&&network.peer.port==OTHER", "n\n", 1, "End this connection? [y/N]", true},
		{"the answer yes", "--filter network.local.port==PORT&&network.peer.port==OTHER", "y\n", 0, "destroyed", false},
		{"by addresses", "127.0.0.1:PORT SERVER --yes", "", 0, "1 ended, 0 not", false},
		{"without a trace", "--filter network.local.port==PORT&&network.peer.port==OTHER --yes --no-trace", "", 0, "1 ended, 0 not", false},
		{"both, allowed", "--filter BOTH --yes --max 2", "", 0, "2 ended, 0 not", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t)
			both := "(network.local.port==PORT&&network.peer.port==OTHER)||(network.local.port==OTHER&&network.peer.port==PORT)"
			line := strings.ReplaceAll("kill "+c.arguments, "BOTH", both)
			line = strings.NewReplacer("PORT", p.port(), "OTHER", p.otherPort(), "SERVER", p.server.LocalAddr().String()).Replace(line)
			command := exec.Command(closetrace, strings.Fields(line)...)
			command.Stdin = strings.NewReader(c.answer)
			r := runProgram(t, command)
			if want := strings.ReplaceAll(c.out, "PORT", p.port()); r.code != c.code || !strings.Contains(r.out, want) {
				t.Errorf("%s: exit %d with\n%s%s\nwant %d and %q", line, r.code, r.out, r.errors, c.code, want)
			}
			if c.alive != p.alive(t) {
				t.Errorf("%s: alive is %v, want %v", line, !c.alive, c.alive)
			}
			if err := p.end; !c.alive && !errors.Is(err(), unix.ECONNRESET) && !strings.Contains(c.name, "both") {
				t.Errorf("the peer sees %v, want ECONNRESET", err())
			}
		})
	}
}

// TestKillByID takes the id from the list, as a user does.
func TestKillByID(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	p := newPair(t)
	r := runProgram(t, exec.Command(closetrace, "list", "--json", "--filter", p.expression()))
	var row struct{ ID string }
	if err := json.Unmarshal([]byte(r.out), &row); err != nil {
		t.Fatalf("%q: %v", r.out, err)
	}
	r = runProgram(t, exec.Command(closetrace, "kill", row.ID, "--yes"))
	if r.code != 0 || !strings.Contains(r.out, "destroyed") {
		t.Errorf("exit %d with %s%s, want 0 and a record with the cause destroyed", r.code, r.out, r.errors)
	}
	if err := p.end(); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the peer sees %v, want ECONNRESET", err)
	}
	r = runProgram(t, exec.Command(closetrace, "kill", row.ID, "--yes"))
	if r.code != 1 || !strings.Contains(lastLine(r.errors), "no open connection matches") {
		t.Errorf("a second time: exit %d with %q, want 1 and that none matches", r.code, r.errors)
	}
}

// TestListFilterFails: a connection that the filter fails on is left out of the list, which
// says so; kill ends nothing.
func TestListFilterFails(t *testing.T) {
	closetrace := program(t)
	p := newPair(t)
	filter := "network.local.port+network.peer.port==" + p.port() + "+" + p.otherPort() + "&&1%(network.local.port-" + p.port() + ")>=-1"
	r := runProgram(t, exec.Command(closetrace, "list", "--json", "--filter", filter))
	if r.code != exitRuntime || strings.Count(r.out, "\n") != 1 || !strings.Contains(lastLine(r.errors), "the filter failed on 1 connections") {
		t.Errorf("list: exit %d with\n%s%s\nwant %d, the other end and that the filter failed", r.code, r.out, r.errors, exitRuntime)
	}
	r = runProgram(t, exec.Command(closetrace, "kill", "--yes", "--max", "0", "--filter", filter))
	if r.code != exitRuntime || !strings.Contains(lastLine(r.errors), "nothing was ended: the filter failed") {
		t.Errorf("kill: exit %d with %q, want %d and that nothing was ended", r.code, r.errors, exitRuntime)
	}
	if !p.alive(t) {
		t.Error("the connection was hit")
	}
}

// lastLine returns the error itself: notes may come before it.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func TestKillWithoutPrivilege(t *testing.T) {
	needCapabilities(t)
	closetrace := programForAll(t)
	p := newPair(t)
	c := exec.Command(closetrace, "kill", "--filter", p.expression(), "--yes")
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	r := runProgram(t, c)
	if r.code != 3 || !strings.Contains(lastLine(r.errors), "CAP_NET_ADMIN") {
		t.Errorf("exit %d with %q, want 3 and a last line with CAP_NET_ADMIN", r.code, r.errors)
	}
	if !p.alive(t) {
		t.Error("the connection was hit")
	}
}
