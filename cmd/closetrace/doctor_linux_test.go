package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestBlindSpots: in a PID namespace of its own, doctor and list say that they
// can't name processes outside.
func TestBlindSpots(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	const limit = "this is a PID namespace of its own"
	for _, c := range []struct {
		flags uintptr
		want  bool
	}{{syscall.CLONE_NEWPID, true}, {0, false}} {
		doctor := exec.Command(closetrace, "doctor")
		doctor.SysProcAttr = &syscall.SysProcAttr{Cloneflags: c.flags}
		r := runProgram(t, doctor)
		if got := strings.Contains(r.out, limit); r.code != 0 || got != c.want {
			t.Errorf("doctor, clone flags %#x: exit %d, tells: %v, want %v\n%s", c.flags, r.code, got, c.want, r.out)
		}
	}
	needMounts(t)
	p := newPair(t)
	// With /proc of that namespace this process is not there.
	list := exec.Command("sh", "-c", "mount -t proc proc /proc && exec "+closetrace+" list --filter '"+p.expression()+"'")
	list.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
	r := runProgram(t, list)
	if r.code != 0 || !strings.Contains(r.out, p.port()) || !strings.Contains(r.errors, limit) {
		t.Errorf("list: exit %d with %q, %q; want the connection, and what can't be seen", r.code, r.out, r.errors)
	}
}
