package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestStrangersSignals: no other user may stop, kill or limit a trace that root has begun,
// nor a helper of it. Daemons run as nobody, and so did the trace.
func TestStrangersSignals(t *testing.T) {
	for _, tool := range []string{"kill", "prlimit"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	t.Setenv("SUDO_UID", "")
	r := startRecorder(t, t.TempDir(), nil)
	pids := append(childrenOf(t, r.Process.Pid), r.Process.Pid)
	if len(pids) < 2 {
		t.Fatalf("the trace has no helper")
	}
	for _, pid := range pids {
		for _, attack := range [][]string{
			{"kill", "-STOP"}, {"kill", "-KILL"}, {"prlimit", "--nofile=3:3", "--pid"},
		} {
			if out, err := asNobody(nil, attack[0], append(attack[1:], strconv.Itoa(pid))...).CombinedOutput(); err == nil {
				t.Errorf("nobody may %v: %s", attack, out)
			}
		}
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(r.Process.Pid) + "/status")
	if err != nil || strings.Contains(string(status), "\nUid:\t0\t") {
		t.Errorf("the trace stays root: %v\n%s", err, status)
	}
	_ = r.Process.Signal(syscall.SIGINT)
	if code := r.end(t); code != exitOK {
		t.Errorf("exit %d: %s", code, &r.errors)
	}
}

func childrenOf(t *testing.T, pid int) (pids []int) {
	t.Helper()
	text, err := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Skip(err)
	}
	for _, word := range strings.Fields(string(text)) {
		n, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, n)
	}
	return pids
}
