package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSetcapAdvice does what a user without privileges is told to do, where the
// program is not in PATH: then it can trace.
func TestSetcapAdvice(t *testing.T) {
	needCapabilities(t)
	if _, err := exec.LookPath("setcap"); err != nil {
		t.Skip(err)
	}
	path := programForAll(t)
	folder := filepath.Join(filepath.Dir(path), "it's $HOME")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, filepath.Join(folder, "closetrace")); err != nil {
		t.Fatal(err)
	}
	trace := func() result {
		c := exec.Command("./closetrace", "live", "--plain", "--duration", "10ms")
		c.Dir = folder
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return runProgram(t, c)
	}
	r := trace()
	_, advice, found := strings.Cut(strings.TrimSpace(r.errors), "sudo setcap ")
	if r.code != exitPrivileges || !found {
		t.Fatalf("exit %d with %q, want %d and advice", r.code, r.errors, exitPrivileges)
	}
	if out, err := exec.Command("sh", "-c", "setcap "+advice).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "not supported") {
			t.Skipf("no file capabilities here: %s", out)
		}
		t.Fatalf("setcap %s: %v: %s", advice, err, out)
	}
	r = trace()
	if r.code != exitOK {
		t.Errorf("after the advice: exit %d: %s", r.code, r.errors)
	}
}
