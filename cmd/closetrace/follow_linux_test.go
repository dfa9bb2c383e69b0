package main

import (
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// TestFollowedActor is no test: it is the command that TestFollow follows. It
// makes one connection that ends gracefully and one that ends by SO_LINGER
// {1,0}; a child that has left its session makes another graceful one.
func TestFollowedActor(t *testing.T) {
	part := os.Getenv("CLOSETRACE_TEST_FOLLOW")
	if part == "" {
		t.Skip("played by TestFollow only")
	}
	dial := func(linger int) {
		c, err := net.Dial("tcp4", os.Getenv("CLOSETRACE_TEST_SERVER"))
		if err != nil {
			t.Fatal(err)
		}
		if linger == 0 {
			c.(*net.TCPConn).SetLinger(0)
		}
		c.Close()
	}
	dial(-1)
	if part == "child" {
		return
	}
	dial(0)
	child := exec.Command("/proc/self/exe", "-test.run=^TestFollowedActor$")
	child.Env = append(os.Environ(), "CLOSETRACE_TEST_FOLLOW=child")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	os.Exit(7)
}

// server accepts and closes until the test ends; noise connects to it all the
// time, from this process.
func serverWithNoise(t *testing.T) (address string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { c.Read(make([]byte, 1)); c.Close() }()
		}
	}()
	var quit atomic.Bool
	noisy := make(chan struct{})
	go func() {
		defer close(noisy)
		for !quit.Load() {
			if c, err := net.Dial("tcp4", l.Addr().String()); err == nil {
				c.Close()
			}
		}
	}()
	t.Cleanup(func() { quit.Store(true); <-noisy; l.Close(); <-stopped })
	return l.Addr().String()
}

func TestFollow(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	if tracer.Inspect().Cgroup2 == "" {
		t.Skip("cgroup v2 is not mounted")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := serverWithNoise(t)
	c := exec.Command(closetrace, "record", "-o", "-", "--", self, "-test.run=^TestFollowedActor$")
	c.Env = append(os.Environ(), "CLOSETRACE_TEST_FOLLOW=parent", "CLOSETRACE_TEST_SERVER="+server)
	before := map[string]bool{}
	for _, group := range groups(t, tracer.Inspect().Cgroup2) {
		before[group] = true
	}
	r := runProgram(t, c)
	skipCgo(t, r)
	if r.code != 0 {
		t.Fatalf("exit %d: %s", r.code, r.errors)
	}
	causes := map[string]int{}
	var last struct{ Kind, Reason string }
	for line := range strings.Lines(r.out) {
		var record struct {
			Kind, Cause string
			Network     model.Network
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("line %q of standard output: %v", line, err)
		}
		_ = json.Unmarshal([]byte(line), &last)
		if record.Kind != "teardown" {
			continue
		}
		causes[record.Cause]++
		if record.Network.Peer.AddrPort().String() != server {
			t.Errorf("a connection to %v is in the record, want only those to %s", record.Network.Peer, server)
		}
	}
	if len(causes) != 2 || causes["fin"] != 2 || causes["linger-zero"] != 1 {
		t.Errorf("causes are %v, want fin twice and linger-zero once", causes)
	}
	if last.Kind != "stop" || last.Reason != "child-exit" {
		t.Errorf("last line is %+v, want a stop because the child exited", last)
	}
	if !strings.Contains(r.errors, "exited with 7; connections: 3 (2 graceful, 1 abortive)") {
		t.Errorf("standard error is %q, want the summary", r.errors)
	}
	for _, group := range groups(t, tracer.Inspect().Cgroup2) {
		if !before[group] {
			t.Errorf("the group %s is left behind", group)
		}
	}
}

// groups returns the groups of followed commands.
func groups(t *testing.T, mount string) []string {
	t.Helper()
	var found []string
	_ = filepath.WalkDir(mount, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && regexp.MustCompile(`^closetrace-\d+$`).MatchString(d.Name()) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

func TestFollowUsage(t *testing.T) {
	closetrace := program(t)
	for _, c := range []struct {
		line string
		code int
	}{
		{"live --", 2},
		{"live -- /nonexistent/program", 2},
		{"live program", 2},
		{"record -o - program -- true", 2},
		{"live --filter nonsense -- true", 2},
	} {
		if r := runProgram(t, exec.Command(closetrace, strings.Fields(c.line)...)); r.code != c.code || !strings.HasPrefix(r.errors, "closetrace: ") {
			t.Errorf("%s: exit %d with %q, want %d", c.line, r.code, r.errors, c.code)
		}
	}
}

func TestFollowSummary(t *testing.T) {
	got := followSummary("curl\x1b", "exited with 0", map[string]uint64{"abortive": 1, "graceful": 2})
	if want := `curl\x1b exited with 0; connections: 3 (2 graceful, 1 abortive)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
