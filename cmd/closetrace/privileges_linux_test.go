package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	nobody     = 65534
	groupOfUse = 54321 // stands for the group closetrace
)

// programWithCapabilities returns the path of a program that has its file
// capabilities, its owner is root.
func programWithCapabilities(t *testing.T, mode os.FileMode) string {
	t.Helper()
	needCapabilities(t)
	if _, err := exec.LookPath("setcap"); err != nil {
		t.Skip(err)
	}
	path := programForAll(t)
	if err := os.Chown(path, 0, groupOfUse); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("setcap", "cap_bpf,cap_perfmon,cap_net_admin=ep", path).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "not supported") {
			t.Skipf("no file capabilities here: %s", out)
		}
		t.Fatalf("setcap: %v: %s", err, out)
	}
	return path
}

// asNobody runs a command line as a user without privileges.
func asNobody(groups []uint32, path string, args ...string) *exec.Cmd {
	c := exec.Command(path, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: groups}}
	return c
}

// TestGroupOfUse installs the program as README says: members of its group trace
// without root, others can't execute it, and doctor has nothing to warn of.
func TestGroupOfUse(t *testing.T) {
	path := programWithCapabilities(t, 0o750)
	r := runProgram(t, asNobody([]uint32{groupOfUse}, path, "live", "--plain", "--duration", "10ms"))
	if r.code != exitOK {
		t.Errorf("a member: exit %d: %s", r.code, r.errors)
	}
	r = runProgram(t, asNobody([]uint32{groupOfUse}, path, "demo", "--plain"))
	if r.code != exitOK || !strings.Contains(r.out, "linger-zero") {
		t.Errorf("a member's demo: exit %d: %s\n%s", r.code, r.errors, r.out)
	}
	if r = runProgram(t, exec.Command(path, "live", "--plain", "--duration", "10ms")); r.code != exitOK {
		t.Errorf("root, with the same file: exit %d: %s", r.code, r.errors)
	}
	if err := asNobody(nil, path, "version").Run(); !os.IsPermission(err) {
		t.Errorf("no member: %v, want that it can't be executed", err)
	}
	r = runProgram(t, asNobody([]uint32{groupOfUse}, path, "doctor"))
	if strings.Contains(r.out, "WARNING") {
		t.Errorf("doctor warns of mode 0750:\n%s", r.out)
	}
}

// TestLentCapabilities attacks root's connections with the capabilities of a file
// that everybody may execute.
func TestLentCapabilities(t *testing.T) {
	path := programWithCapabilities(t, 0o755)

	t.Run("doctor warns", func(t *testing.T) {
		r := runProgram(t, asNobody(nil, path, "doctor"))
		if !strings.Contains(r.out, "WARNING: every user of this host may run "+path) {
			t.Errorf("exit %d, no warning in\n%s%s", r.code, r.out, r.errors)
		}
	})
	t.Run("kill", func(t *testing.T) {
		p := newPair(t)
		for _, args := range [][]string{
			{"kill", "--filter", p.expression(), "--yes"},
			{"kill", p.client.LocalAddr().String(), p.client.RemoteAddr().String(), "--yes"},
			{"live", "--allow-kill", "--plain", "--duration", "10ms"},
		} {
			r := runProgram(t, asNobody(nil, path, args...))
			if r.code != exitPrivileges || !strings.Contains(r.errors, "not with those of the program's file") {
				t.Errorf("%v: exit %d with %q, want %d", args, r.code, r.errors, exitPrivileges)
			}
		}
		if !p.alive(t) {
			t.Error("the connection of root was ended")
		}
		r := runProgram(t, exec.Command(path, "kill", "--filter", p.expression(), "--yes"))
		if r.code != exitOK || p.alive(t) {
			t.Errorf("root itself: exit %d with %q, want that it ends the connection", r.code, r.errors)
		}
	})
	t.Run("lab's agent", func(t *testing.T) { attackAgent(t, path) })
	t.Run("environment", func(t *testing.T) {
		c := asNobody(nil, path, "version")
		c.Env = append(os.Environ(), "CLOSETRACE_LAB=agent:lab-a")
		if r := runProgram(t, c); r.code != exitOK || !strings.HasPrefix(r.out, "closetrace ") {
			t.Errorf("CLOSETRACE_LAB: exit %d with %q, want that version ignores it", r.code, r.out)
		}
	})
}

// attackAgent asks an agent of the lab for an answer.
func attackAgent(t *testing.T, path string) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	channel, theirs := os.NewFile(uintptr(ends[0]), "channel"), os.NewFile(uintptr(ends[1]), "agent")
	defer channel.Close()
	c := asNobody(nil, path, "lab-process", "agent:lab-a")
	c.ExtraFiles = []*os.File{theirs, theirs, theirs}
	if _, err := channel.WriteString(`{"id":1,"op":"socket","args":[2,1,0]}` + "\n"); err != nil {
		t.Fatal(err)
	}
	r := runProgram(t, c)
	theirs.Close()
	answer, _ := io.ReadAll(channel)
	if r.code != exitPrivileges || len(answer) > 0 || !strings.Contains(r.errors, "refused") {
		t.Errorf("exit %d with %q, %q, want that it refuses", r.code, answer, r.errors)
	}
}
