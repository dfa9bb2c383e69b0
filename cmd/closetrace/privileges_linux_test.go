package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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

// attackTypes traces by a file of types that the user can change: it would say which bytes
// of the kernel's memory are shown as those of a socket.
func attackTypes(t *testing.T, program string) {
	text, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Skip(err)
	}
	types := filepath.Join(filepath.Dir(program), "types.btf")
	if err := os.WriteFile(types, text, 0o644); err != nil {
		t.Fatal(err)
	}
	run := func() result {
		return runProgram(t, asNobody(nil, program, "live", "--plain", "--duration", "10ms", "--btf", types))
	}
	if r := run(); r.code != exitOK {
		t.Errorf("types that are root's: exit %d: %s", r.code, r.errors)
	}
	for _, c := range []struct {
		what  string
		owner int
		mode  os.FileMode
	}{{"writable by group", 0, 0o664}, {"writable by all", 0, 0o646}, {"his own", nobody, 0o644}} {
		if err := errors.Join(os.Chown(types, c.owner, c.owner), os.Chmod(types, c.mode)); err != nil {
			t.Fatal(err)
		}
		if r := run(); r.code != exitUsage || !strings.Contains(r.errors, "is not root's alone") {
			t.Errorf("%s: exit %d with %q, want that it is refused", c.what, r.code, r.errors)
		}
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
	t.Run("types", func(t *testing.T) { attackTypes(t, path) })
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

// another is a user that has nothing to do with who traces.
const another = 12345

// trap is a folder of a stranger, who has put into it what else a name could be.
func trap(t *testing.T) (folder, victim string) {
	t.Helper()
	top, err := os.MkdirTemp("", "trap")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	folder, victim = filepath.Join(top, "folder"), filepath.Join(top, "victim")
	pipe := filepath.Join(folder, "pipe")
	if err := errors.Join(
		os.Chmod(top, 0o755), os.Mkdir(folder, 0o777), os.WriteFile(victim, []byte("precious"), 0o600),
		os.Symlink(victim, filepath.Join(folder, "link")), os.Symlink(victim+".new", filepath.Join(folder, "dangling")),
		os.Link(victim, filepath.Join(folder, "hard")), syscall.Mkfifo(pipe, 0o666), os.Chown(pipe, another, another),
		os.Symlink(top, filepath.Join(folder, "sub")), os.Chown(folder, another, another), os.Chmod(folder, 0o777),
	); err != nil {
		t.Fatal(err)
	}
	return folder, victim
}

// untouched checks that nothing was written where the stranger would have it.
func untouched(t *testing.T, victim string) {
	t.Helper()
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("the victim is %q now, %v", text, err)
	}
	names, _ := filepath.Glob(filepath.Dir(victim) + "/*")
	if len(names) != 2 {
		t.Errorf("beside folder and victim there is %q", names)
	}
}

// TestSwappedFolder: the stranger moves the folder of root's recording away while it runs
// in the sandbox, and puts a link to another in its place. Nothing is made in the other,
// and the recording goes on in its own.
func TestSwappedFolder(t *testing.T) {
	folder, victim := trap(t)
	moved := folder + "-moved"
	other := filepath.Join(filepath.Dir(victim), "other")
	if err := os.Mkdir(other, 0o777); err != nil {
		t.Fatal(err)
	}
	r := startRecorder(t, folder, nil, "--rotate-age", "300ms")
	if err := errors.Join(os.Rename(folder, moved), os.Symlink(other, folder)); err != nil {
		t.Fatal(err)
	}
	files := func() int {
		all, _ := filepath.Glob(moved + "/*.jsonl")
		return len(all)
	}
	had := files()
	r.until(t, func() bool { return files() >= had+3 })
	_ = r.Process.Signal(syscall.SIGINT)
	if code := r.end(t); code != 0 {
		t.Errorf("exit %d: %s", code, &r.errors)
	}
	if all, _ := filepath.Glob(other + "/*"); len(all) > 0 {
		t.Errorf("made %q", all)
	}
}

// TestOutputsInAnothersFolder: what annotate and anonymize write in the folder of a
// stranger goes into new files of mode 0600, with --force too.
func TestOutputsInAnothersFolder(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	recording, capture := filepath.Join(t.TempDir(), "in.jsonl"), filepath.Join(t.TempDir(), "in.pcap")
	if err := errors.Join(os.WriteFile(recording, []byte(fiveLines), 0o600), os.WriteFile(capture, emptyCapture, 0o600)); err != nil {
		t.Fatal(err)
	}
	for command, arguments := range map[string]func(out string) []string{
		"annotate":  func(out string) []string { return []string{capture, out, "--with", recording} },
		"anonymize": func(out string) []string { return []string{recording, "-o", out} },
		"report":    func(out string) []string { return []string{recording, "-o", out} },
	} {
		for _, force := range []bool{false, true} {
			folder, victim := trap(t)
			for _, name := range []string{"link", "dangling", "pipe", "hard", "new", "sub/x"} {
				made := filepath.Join(folder, name)
				c := exec.Command(closetrace, append([]string{command}, arguments(made)...)...)
				if force {
					c.Args = append(c.Args, "--force")
				}
				stuck := time.AfterFunc(30*time.Second, func() { _ = c.Process.Kill() })
				r := runProgram(t, c)
				if !stuck.Stop() {
					t.Errorf("%s to %s waits for ever", command, name)
				}
				if name == "sub/x" { // who named a link to a folder meant it
					os.Remove(made)
					continue
				}
				want := name == "new" || name == "hard" && force
				info, err := os.Lstat(made)
				if (r.code == exitOK) != want || want && (err != nil || info.Mode() != 0o600) {
					t.Errorf("%s to %s, force %v: exit %d, %v: %s", command, name, force, r.code, info, r.errors)
				}
				if !want && strings.Count(r.errors, "\n") != 1 {
					t.Errorf("%s to %s: the error is %q", command, name, r.errors)
				}
			}
			untouched(t, victim)
		}
	}
}

// emptyCapture is a pcap file without a packet.
var emptyCapture = []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0}
