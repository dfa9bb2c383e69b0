package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/record/recordtest"
)

// recorder is a recording that runs.
type recorder struct {
	*exec.Cmd
	folder string
	errors bytes.Buffer
}

// startRecorder records into folder/a.jsonl; prepare may change the command.
// It returns when the recording is live.
func startRecorder(t *testing.T, folder string, prepare func(*exec.Cmd), args ...string) *recorder {
	t.Helper()
	needCapabilities(t)
	r := &recorder{folder: folder}
	path := filepath.Join(folder, "a.jsonl")
	r.Cmd = exec.Command(program(t), append([]string{"record", "-o", path}, args...)...)
	r.Stderr = &r.errors
	if prepare != nil {
		prepare(r.Cmd)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Process.Kill(); r.Wait() })
	r.until(t, func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() > 0
	})
	return r
}

// until waits for something that the recording does.
func (r *recorder) until(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing happens for a minute: %s", &r.errors)
		}
	}
}

// end waits for the end and returns the exit code.
func (r *recorder) end(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(time.Minute, func() { r.Process.Kill() })
	defer timer.Stop()
	r.Wait()
	return r.ProcessState.ExitCode()
}

// files returns the files of the folder, each checked against the schema, with
// the reason of its stop line, or "" if it has none.
func (r *recorder) files(t *testing.T) map[string]string {
	t.Helper()
	reasons := map[string]string{}
	names, err := filepath.Glob(filepath.Join(r.folder, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := recordtest.Check(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
		var first, last struct{ Kind, Reason string }
		json.Unmarshal(lines[0], &first)
		json.Unmarshal(lines[len(lines)-1], &last)
		if first.Kind != "start" {
			t.Errorf("%s begins with %q", name, first.Kind)
		}
		reasons[filepath.Base(name)] = last.Reason
	}
	return reasons
}

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

// TestHangupRotates: SIGHUP asks a service for a new file.
func TestHangupRotates(t *testing.T) {
	r := startRecorder(t, t.TempDir(), func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} })
	r.Process.Signal(syscall.SIGHUP)
	r.until(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(r.folder, "a-*.jsonl"))
		return len(files) == 1
	})
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

// connect makes n connections, and more until done.
func connect(t *testing.T, n int, done func() bool) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := 0; i < n || !done(); i++ {
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
		server.Close()
	}
}

// TestRecordFaults: what a user sees when the file can't be written any more.
func TestRecordFaults(t *testing.T) {
	needCapabilities(t)
	for _, c := range []struct {
		name string
		ruin func(*testing.T, *recorder)
		says string
	}{
		{"a full disk", func(t *testing.T, r *recorder) {
			connect(t, 300, func() bool { return unix.Kill(r.Process.Pid, 0) != nil || full(r.folder) })
		}, "no space left on device: free some space, or bound the recording with --max-size\n"},
		{"a folder that is removed", func(t *testing.T, r *recorder) {
			if err := os.Remove(filepath.Join(r.folder, "a.jsonl")); err != nil {
				t.Fatal(err)
			}
		}, "recording was removed while it was written: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=128k"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
			r := startRecorder(t, folder, nil)
			c.ruin(t, r)
			if code := r.end(t); code != exitRuntime {
				t.Errorf("exit %d, want %d", code, exitRuntime)
			}
			lines := strings.Split(strings.TrimSpace(r.errors.String()), "\n")
			last := lines[len(lines)-1] + "\n"
			if !strings.HasPrefix(last, "closetrace: ") || strings.Count(last, c.says) != 1 || strings.Contains(last, `\n`) {
				t.Errorf("standard error ends with %q, want %q once, on one line", last, c.says)
			}
			r.files(t)
		})
	}
}

// full reports whether the file system of a folder has no page left.
func full(folder string) bool {
	var s unix.Statfs_t
	return unix.Statfs(folder, &s) == nil && s.Bavail == 0
}
