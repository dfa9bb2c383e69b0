package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shell is an interactive shell with job control on a terminal of its own.
type shell struct {
	*exec.Cmd
	master *os.File

	mu  sync.Mutex
	out bytes.Buffer
}

func startShell(t *testing.T) *shell {
	t.Helper()
	path, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	master, slave := newTerminal(t)
	defer slave.Close()
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 120}); err != nil {
		t.Fatal(err)
	}
	s := &shell{Cmd: exec.Command(path, "--norc", "--noprofile", "-i"), master: master}
	s.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "HISTFILE=")
	onTerminal(slave)(s.Cmd)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Process.Kill(); s.Wait() })
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, err := master.Read(buffer)
			s.mu.Lock()
			s.out.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// enter types keys.
func (s *shell) enter(t *testing.T, keys string) {
	t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

func (s *shell) shows(text string) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Contains(s.out.String(), text)
	}
}

// runs returns the processes of a program.
func runs(path string) (found []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if exe, err := os.Readlink(link); err == nil && exe == path {
			found = append(found, filepath.Dir(link))
		}
	}
	return found
}

// endAll ends processes that a failed test left.
func endAll(path string) {
	for _, folder := range runs(path) {
		if pid, err := strconv.Atoi(filepath.Base(folder)); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// TestHangupUnderShell: a terminal that goes away ends what runs in its shell, and every
// recording has its stop line. The kernel and the shell each send SIGHUP.
func TestHangupUnderShell(t *testing.T) {
	needCapabilities(t)
	signalDefault(t)
	for _, c := range []struct{ name, command, live, keys string }{
		{"record", "record -o a.jsonl", "", ""},
		{"live", "live", "Stream", "R"},
		{"demo", "demo", "Stream", "R"},
		{"live ignores SIGHUP", "live", "Stream", "R"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 3 {
				closetrace, folder := program(t), t.TempDir()
				t.Cleanup(func() { endAll(closetrace) })
				s := startShell(t)
				files := func() []string { found, _ := filepath.Glob(filepath.Join(folder, "*.jsonl*")); return found }
				s.enter(t, "cd "+folder+"\n")
				if strings.Contains(c.name, "ignores") {
					s.enter(t, "trap '' HUP\n")
				}
				s.enter(t, closetrace+" "+c.command+"\n")
				if c.live != "" {
					eventually(t, "the screen", s.shows(c.live))
					s.enter(t, c.keys)
					eventually(t, "the question", s.shows(".jsonl"))
					s.enter(t, "\r")
				}
				eventually(t, "the recording", func() bool {
					info, err := os.Stat(strings.Join(files(), "?"))
					return err == nil && info.Size() > 0
				})
				s.master.Close()
				eventually(t, "the end of "+c.command, func() bool { return len(runs(closetrace)) == 0 })
				r := runProgram(t, exec.Command(closetrace, "replay", "--json", files()[0]))
				if r.code != exitOK || !strings.Contains(r.out, `"kind":"stop"`) || r.errors != "" {
					t.Errorf("exit %d, %q; no stop line in %.200s", r.code, r.errors, r.out)
				}
			}
		})
	}
}

// signalDefault gives SIGHUP the action that it has in a shell's job: go test may have
// been started with nohup.
func signalDefault(t *testing.T) {
	t.Helper()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangup) })
}
