package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const invoker = 54322 // a user of no name, who "called sudo"

func bySudo(c *exec.Cmd) *exec.Cmd {
	c.Env = append(os.Environ(), "SUDO_UID="+strconv.Itoa(invoker), "SUDO_GID="+strconv.Itoa(invoker))
	return c
}

// TestRecordingBelongsToInvoker: under sudo, also after a rotation, whether the folder
// is the invoker's or root's; the process has given up everything meanwhile.
func TestRecordingBelongsToInvoker(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	for name, c := range map[string]struct {
		owner int
		base  string
	}{"the invoker's folder": {invoker, "a.jsonl"}, "root's folder": {0, "a.jsonl"}, "a hidden file": {0, ".a.jsonl"}} {
		t.Run(name, func(t *testing.T) {
			owner, base := c.owner, c.base
			folder, err := os.MkdirTemp("", "owner")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(folder)
			if err := os.Chown(folder, owner, owner); err != nil {
				t.Fatal(err)
			}
			c := bySudo(exec.Command(closetrace, "record", "-o", filepath.Join(folder, base), "--rotate-age", "200ms"))
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Process.Kill() }()
			var files []string
			for deadline := time.Now().Add(patience); len(files) < 3 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
				files, _ = filepath.Glob(folder + "/*.jsonl")
			}
			status, _ := os.ReadFile("/proc/" + strconv.Itoa(c.Process.Pid) + "/status")
			for _, want := range []string{
				"Uid:\t54322\t54322\t54322\t54322\n", "Groups:\t \n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
				"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n",
			} {
				if !strings.Contains(string(status), want) {
					t.Errorf("no %q in %s", want, status)
				}
			}
			_ = c.Process.Signal(syscall.SIGINT)
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
			if len(files) < 3 {
				t.Fatalf("files: %q, want rotated ones", files)
			}
			for _, file := range files {
				info, err := os.Stat(file)
				if err != nil {
					continue // the current one was renamed since
				}
				if uid := int(info.Sys().(*syscall.Stat_t).Uid); uid != owner || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: user %d, mode %v; want %d, 0600", file, uid, info.Mode(), owner)
				}
			}
		})
	}
}

// TestHelpersEnd: no helper is left when a trace is killed.
func TestHelpersEnd(t *testing.T) {
	needCapabilities(t)
	c := exec.Command(program(t), "record", "-o", filepath.Join(t.TempDir(), "a.jsonl"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	children := func() []string {
		files, _ := filepath.Glob("/proc/" + strconv.Itoa(c.Process.Pid) + "/task/*/children") // of each thread
		var all []string
		for _, file := range files {
			text, _ := os.ReadFile(file)
			all = append(all, strings.Fields(string(text))...)
		}
		return all
	}
	var helpers []string
	for deadline := time.Now().Add(patience); len(helpers) < 2 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		helpers = children()
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if len(helpers) < 2 {
		t.Fatalf("helpers: %v, want links and files", helpers)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		alive := slices.DeleteFunc(slices.Clone(helpers), func(pid string) bool {
			text, err := os.ReadFile("/proc/" + pid + "/cmdline")
			return err != nil || !strings.Contains(string(text), "sandbox-helper")
		})
		if len(alive) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("helpers %v stay", alive)
		}
	}
}

// TestCommandUser: a command runs as the user who called sudo, or as --user says;
// otherwise as root.
func TestCommandUser(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	words := []string{"--", "sh", "-c", `echo "is $(id -u) $(id -g)"; grep CapEff /proc/self/status`}
	none := "CapEff:\t0000000000000000"
	for name, c := range map[string]struct {
		command *exec.Cmd
		want    string
		caps    bool
	}{
		"sudo": {bySudo(exec.Command(closetrace, append([]string{"live", "--plain"}, words...)...)), "is 54322 54322", false},
		"user": {bySudo(exec.Command(closetrace, append([]string{"live", "--plain", "--user", "12345"}, words...)...)), "is 12345 12345", false},
		"root": {exec.Command(closetrace, append([]string{"live", "--plain"}, words...)...), "is 0 0", true},
	} {
		t.Run(name, func(t *testing.T) {
			if r := runProgram(t, c.command); r.code != 0 || !strings.Contains(r.errors, c.want) || strings.Contains(r.errors, none) == c.caps {
				t.Errorf("exit %d, want %q in\n%s%s", r.code, c.want, r.out, r.errors)
			}
		})
	}
	r := runProgram(t, exec.Command(closetrace, "live", "--plain", "--user", "no-such-user", "--duration", "1s"))
	if r.code != exitUsage || !strings.Contains(r.errors, "no-such-user") {
		t.Errorf("unknown user: exit %d, %s", r.code, r.errors)
	}
}

// TestExecutableOfAnother: the executable of a process of another user, which started
// after the trace gave up its rights, is known.
func TestExecutableOfAnother(t *testing.T) {
	needCapabilities(t)
	python, err := filepath.EvalSymlinks("/usr/bin/python3")
	if err != nil {
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "a.jsonl")
	c := exec.Command(program(t), "record", "-o", file, "--filter", `process.name startsWith "python"`, "--count", "1")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill() }()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text, _ := os.ReadFile(file); len(text) > 0 {
			break
		}
	}
	other := exec.Command(python, "-c", `
import socket, time
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
c = socket.create_connection(l.getsockname()); c.close(); time.sleep(2)`)
	other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	if err := other.Run(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(file)
	if !strings.Contains(string(text), `"executable":{"path":"`+python+`"`) {
		t.Errorf("want %s in\n%s", python, text)
	}
}
