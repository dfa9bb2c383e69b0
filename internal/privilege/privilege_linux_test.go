package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const nobody = 65534

// TestMain is also the program that the tests lend privileges to.
func TestMain(m *testing.M) {
	switch os.Getenv("CLOSETRACE_PRIVILEGE") {
	case "drop":
		runtime.LockOSThread() // each has capabilities of its own
		header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
		if err := unix.Capset(&header, &none[0]); err != nil {
			panic(err)
		}
		fallthrough
	case "keep":
		fmt.Print(Borrowed())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is this test's program in a folder that every user reaches.
func program(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "privilege") // above t.TempDir() is a folder of its own, of mode 0700
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "program")
	if err := errors.Join(os.Chmod(folder, 0o755), os.WriteFile(path, text, 0o755), os.Chmod(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// lend gives a file a capability: struct vfs_cap_data, revision 2, effective, CAP_NET_ADMIN.
func lend(t *testing.T, path string) {
	t.Helper()
	data := [20]byte{0: 1, 3: 2, 5: 1 << (unix.CAP_NET_ADMIN - 8)}
	if err := unix.Setxattr(path, "security.capability", data[:], 0); err != nil {
		t.Skip(err)
	}
}

func TestBorrowed(t *testing.T) {
	for _, c := range []struct {
		what    string
		uid     uint32
		lent    bool
		mode    os.FileMode
		do      string
		borrows string
	}{
		{"root", 0, false, 0o755, "keep", "false"},
		{"root, of a file with capabilities", 0, true, 0o755, "keep", "false"},
		{"a user", nobody, false, 0o755, "keep", "false"},
		{"a user, of a file with capabilities", nobody, true, 0o755, "keep", "true"},
		{"a user who has given them up", nobody, true, 0o755, "drop", "false"},
		{"a user, of root's set-user-ID", nobody, false, 0o755 | os.ModeSetuid, "keep", "true"},
	} {
		t.Run(c.what, func(t *testing.T) {
			path := program(t)
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			if c.lent {
				lend(t, path)
			}
			run := exec.Command(path)
			run.Dir, run.Env = "/", []string{"CLOSETRACE_PRIVILEGE=" + c.do}
			run.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid}}
			if got, err := run.Output(); err != nil || string(got) != c.borrows {
				t.Errorf("got %q, %v, want %s", got, err, c.borrows)
			}
		})
	}
}

func TestLends(t *testing.T) {
	path := program(t)
	if Lends(path) || Lends(path+".missing") {
		t.Error("got true without capabilities")
	}
	lend(t, path)
	for mode, want := range map[os.FileMode]bool{0o755: true, 0o751: true, 0o750: false, 0o754: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if got := Lends(path); got != want {
			t.Errorf("mode %o: got %v, want %v", mode, got, want)
		}
	}
}
