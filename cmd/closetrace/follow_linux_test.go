package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// TestFollowedActor is not a test: it is the command that TestFollow follows. It makes
// one connection that ends gracefully and one that ends by SO_LINGER {1,0}; a child that
// has left its session makes another graceful one.
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
	var early *exec.Cmd
	if part == "running" { // the trace finds it running already, and its child too
		early = exec.Command("/proc/self/exe", "-test.run=^TestFollowedActor$")
		early.Env = append(os.Environ(), "CLOSETRACE_TEST_FOLLOW=early")
		early.Stdin = os.Stdin
		if err := early.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if part == "running" || part == "early" {
		if _, err := os.Stdin.Read(make([]byte, 1)); err != nil { // one byte for each of the two
			t.Fatal(err)
		}
	}
	dial(-1)
	if part == "child" || part == "early" {
		return
	}
	dial(0)
	child := exec.Command("/proc/self/exe", "-test.run=^TestFollowedActor$")
	child.Env = append(os.Environ(), "CLOSETRACE_TEST_FOLLOW=child")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	if early != nil {
		if err := early.Wait(); err != nil {
			t.Fatal(err)
		}
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
	if tracer.Inspect("").Cgroup2 == "" {
		t.Skip("cgroup v2 is not mounted")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := serverWithNoise(t)
	c := exec.Command(closetrace, "record", "-o", "-", "--verdict", "graceful,abortive", "--", self, "-test.run=^TestFollowedActor$")
	c.Env = append(os.Environ(), "CLOSETRACE_TEST_FOLLOW=parent", "CLOSETRACE_TEST_SERVER="+server)
	before := map[string]bool{}
	for _, group := range groups(t, tracer.Inspect("").Cgroup2) {
		before[group] = true
	}
	r := runProgram(t, c)
	if r.code != 7 {
		t.Fatalf("exit %d, want that of the command, 7: %s", r.code, r.errors)
	}
	checkFollowed(t, &r, server, map[string]int{"fin": 2, "linger-zero": 1})
	if want := fmt.Sprintf(`"filter":%q`, self+` and what it starts; verdict in ["graceful", "abortive"]`); !strings.Contains(r.out, want) {
		start, _, _ := strings.Cut(r.out, "\n")
		t.Errorf("the start line is %s, want %s", start, want)
	}
	if !strings.Contains(r.errors, "exited with 7; connections: 3 (2 graceful; 1 abortive: linger-zero)") {
		t.Errorf("standard error is %q, want the summary", r.errors)
	}
	for _, group := range groups(t, tracer.Inspect("").Cgroup2) {
		if !before[group] {
			t.Errorf("the group %s is left behind", group)
		}
	}
}

// checkFollowed: the recording has the connections to the server with these
// causes, no others, and ends because the process did.
func checkFollowed(t *testing.T, r *result, server string, want map[string]int) {
	t.Helper()
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
	if !maps.Equal(causes, want) {
		t.Errorf("causes are %v, want %v", causes, want)
	}
	if last.Kind != "stop" || last.Reason != "child-exit" {
		t.Errorf("last line is %+v, want a stop because the process exited", last)
	}
}

// TestFollowProcess follows a process that runs already, with a child that does
// and one that it starts later, amid the connections of another one.
func TestFollowProcess(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	server := serverWithNoise(t)
	actor := exec.Command("/proc/self/exe", "-test.run=^TestFollowedActor$")
	actor.Env = append(os.Environ(), "CLOSETRACE_TEST_FOLLOW=running", "CLOSETRACE_TEST_SERVER="+server)
	in, err := actor.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := actor.Start(); err != nil {
		t.Fatal(err)
	}
	defer actor.Process.Kill()
	pid := strconv.Itoa(actor.Process.Pid)
	awaitChild(t, pid)
	c := exec.Command(closetrace, "record", "-o", "-", "--pid", pid)
	begun := &whenBegun{do: func() { in.Write([]byte("gg")); actor.Wait() }}
	var errs strings.Builder
	c.Stdout, c.Stderr = begun, &errs
	err = c.Run()
	r := result{c.ProcessState.ExitCode(), begun.out.String(), errs.String()}
	if err != nil {
		t.Fatalf("%v: %s", err, r.errors)
	}
	checkFollowed(t, &r, server, map[string]int{"fin": 3, "linger-zero": 1})
	if want := "[" + pid + "] ended; connections: 4 (3 graceful; 1 abortive: linger-zero)"; !strings.Contains(r.errors, want) {
		t.Errorf("standard error is %q, want %q in it", r.errors, want)
	}
}

// whenBegun keeps what a recording writes, and does something once when its
// first line is there: the hooks are live then.
type whenBegun struct {
	out  bytes.Buffer
	do   func()
	once sync.Once
}

func (w *whenBegun) Write(b []byte) (int, error) {
	w.once.Do(func() { go w.do() })
	return w.out.Write(b)
}

// awaitChild waits until a process has a child.
func awaitChild(t *testing.T, pid string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if tasks, err := filepath.Glob("/proc/" + pid + "/task/*/children"); err == nil {
			for _, path := range tasks {
				if text, _ := os.ReadFile(path); len(text) > 0 {
					return
				}
			}
		}
	}
	t.Fatal("the actor has no child")
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
		{"-- /nonexistent/program", 2},
		{"--", 2},
		{"program", 2},
		{"--pid 1 -- true", 2},
		{"live --pid 4194304", 2},
		{"live program", 2},
		{"record -o - program -- true", 2},
		{"live --filter nonsense -- true", 2},
	} {
		if r := runProgram(t, exec.Command(closetrace, strings.Fields(c.line)...)); r.code != c.code || !strings.HasPrefix(r.errors, "closetrace: ") {
			t.Errorf("%s: exit %d with %q, want %d", c.line, r.code, r.errors, c.code)
		}
	}
}

// TestFollowWithoutLive: closetrace -- COMMAND is closetrace live -- COMMAND.
func TestFollowWithoutLive(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	if tracer.Inspect("").Cgroup2 == "" {
		t.Skip("cgroup v2 is not mounted")
	}
	r := runProgram(t, exec.Command(closetrace, "--plain", "--", closetrace, "nonsense"))
	if want := "closetrace exited with 2; connections: 0"; r.code != 2 || !strings.Contains(r.errors, want) {
		t.Errorf("exit %d with %q, want 2 and %q", r.code, r.errors, want)
	}
}

// TestFollowExitCode: the exit code is that of the command, as a shell has it, and no
// message is added to the summary.
func TestFollowExitCode(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	if tracer.Inspect("").Cgroup2 == "" {
		t.Skip("cgroup v2 is not mounted")
	}
	noProgram := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(noProgram, []byte("\x7fELF"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command []string
		code    int
		last    string
	}{
		{[]string{"true"}, 0, "closetrace: true exited with 0; connections: 0"},
		{[]string{"sh", "-c", "exit 42"}, 42, "closetrace: sh exited with 42; connections: 0"},
		{[]string{"sh", "-c", "kill -TERM $$"}, 143, "closetrace: sh was killed: terminated; connections: 0"},
		{[]string{noProgram}, 126, "exec format error; connections: 0"},
	} {
		r := runProgram(t, exec.Command(closetrace, append([]string{"record", "-o", "-", "--"}, c.command...)...))
		if r.code != c.code || !strings.HasSuffix(lastLine(r.errors), c.last) {
			t.Errorf("%q: exit %d with %q, want %d and %q at its end", c.command, r.code, r.errors, c.code, c.last)
		}
	}
}

func TestFollowSummary(t *testing.T) {
	var ended ledger.Ends
	add := func(kind model.Kind, v model.Verdict, c model.Cause, ids ...string) {
		for _, id := range ids {
			r := model.Record{Kind: kind}
			r.Teardown.ID, r.Teardown.Verdict, r.Teardown.Cause = id, v, c
			ended.Add(&r)
		}
	}
	add(model.KindTeardown, model.Graceful, model.CauseFIN, "1", "2", "3")
	add(model.KindTeardown, model.Abortive, model.CausePeerReset, "4")
	add(model.KindTeardown, model.Abortive, model.CauseUnreadData, "5", "6", "7")
	add(model.KindTeardown, model.FailedOpen, model.CauseRefused, "8")
	add(model.KindOutcome, model.Abortive, model.CauseDataAfterClose, "3")
	got := followSummary("curl\x1b", "exited with 0", &ended)
	want := `curl\x1b exited with 0; connections: 8 (2 graceful; 5 abortive: 3 unread-data, 1 data-after-close, 1 peer-reset; 1 failed-open: refused)`
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
