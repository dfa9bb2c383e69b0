package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// newTerminal returns the two sides of a new terminal.
func newTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// onTerminal makes a command the leader of a session on that terminal, as sshd
// does.
func onTerminal(slave *os.File) func(*exec.Cmd) {
	return func(c *exec.Cmd) {
		c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
}

// TestLostTerminal: a lost ssh session ends the recording cleanly. The kernel
// takes the terminal from the session before it sends SIGHUP.
func TestLostTerminal(t *testing.T) {
	master, slave := newTerminal(t)
	r := startRecorder(t, t.TempDir(), onTerminal(slave))
	slave.Close()
	master.Close()
	if code := r.end(t); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	if got := r.files(t); len(got) != 1 || got["a.jsonl"] != "signal" {
		t.Errorf("got %v, want one file that a signal ended", got)
	}
}

// TestNohup: a recording that was started with nohup outlives its terminal.
func TestNohup(t *testing.T) {
	master, slave := newTerminal(t)
	folder := t.TempDir()
	r := startRecorder(t, folder, func(c *exec.Cmd) {
		onTerminal(slave)(c)
		*c = exec.Cmd{
			Path: "/bin/sh", Args: append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}, c.Args...),
			Stdin: slave, Stdout: slave, Stderr: slave, SysProcAttr: c.SysProcAttr,
		}
	})
	slave.Close()
	master.Close()
	p := newPair(t)
	p.client.Close()
	p.server.Close()
	r.until(t, func() bool {
		data, _ := os.ReadFile(filepath.Join(folder, "a.jsonl"))
		return bytes.Contains(data, []byte(`"local":{"address":"127.0.0.1","port":`+p.port()+`}`))
	})
	r.Process.Signal(syscall.SIGTERM)
	if code := r.end(t); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	if got := r.files(t); len(got) != 1 || got["a.jsonl"] != "signal" {
		t.Errorf("got %v, want one file that SIGTERM ended", got)
	}
}

// TestHangupRotates: SIGHUP asks a service for a new file, which no second one takes over.
func TestHangupRotates(t *testing.T) {
	r := startRecorder(t, t.TempDir(), func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} })
	r.Process.Signal(syscall.SIGHUP)
	r.until(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(r.folder, "a-*.jsonl"))
		return len(files) == 1
	})
	r.until(t, func() bool {
		info, err := os.Stat(filepath.Join(r.folder, "a.jsonl"))
		return err == nil && info.Size() > 0
	})
	second := runProgram(t, exec.Command(program(t), "record", "-o", filepath.Join(r.folder, "a.jsonl"), "--continue", "--rotate-age", "1h", "--duration", "1s"))
	if second.code == 0 || !strings.Contains(second.errors, "another closetrace records to this file") {
		t.Errorf("a second recorder: exit %d, %s", second.code, second.errors)
	}
	r.Process.Signal(syscall.SIGTERM)
	if code := r.end(t); code != 0 {
		t.Errorf("exit %d: %s", code, &r.errors)
	}
	got := r.files(t)
	reasons := []string{}
	for name, reason := range got {
		if name != "a.jsonl" {
			reasons = append(reasons, reason)
		}
	}
	if len(got) != 2 || got["a.jsonl"] != "signal" || reasons[0] != "rotate" {
		t.Errorf("got %v, want a file that was rotated and one that was ended", got)
	}
}
