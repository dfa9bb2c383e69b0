//go:build linux

package tracer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// skipRoot skips a test for want of a privilege, unless the tests are run to
// show that it holds.
func skipRoot(t *testing.T, why string) {
	t.Helper()
	if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "bpf") {
		t.Fatal(why)
	}
	t.Skip(why)
}

// testCgroup makes a cgroup at a path below the mount, and removes what it made.
func testCgroup(t *testing.T, path string) (id uint64, directory *os.File) {
	t.Helper()
	mount := cgroup2Mount()
	if mount == "" {
		skipRoot(t, "cgroup v2 is not mounted")
	}
	at := mount
	for element := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		at = filepath.Join(at, element)
		made := at
		err := os.Mkdir(made, 0o755)
		switch {
		case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
			skipRoot(t, "make a cgroup: "+err.Error())
		case err != nil && !errors.Is(err, fs.ErrExist):
			t.Fatal(err)
		case err == nil:
			t.Cleanup(func() { // a killed process leaves its cgroup a little later
				await(t, made+" to be removed", func() bool { return !errors.Is(unix.Rmdir(made), unix.EBUSY) })
			})
		}
	}
	directory, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { directory.Close() })
	info, err := directory.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino, directory
}

// TestCgroupsOfRuntimes makes the cgroups that runtimes make and a process in
// each: the id alone, as the kernel reports it, leads to the container.
func TestCgroupsOfRuntimes(t *testing.T) {
	top := "/closetrace-test-runtimes"
	testCgroup(t, top)
	o := NewOwners(OwnerOptions{})
	for _, l := range layouts() {
		if strings.Contains(l.path, "..") || l.path == "" || l.path == "/" {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			id, directory := testCgroup(t, top+l.path)
			pid, started := sleeper(t, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())})
			f := factsOf(pid, sleeperName)
			o.Describe(&f, started, id)
			if got := (place{f.Container, f.K8s.Pod.UID, f.Systemd.Unit}); got != l.want {
				t.Errorf("the process is in %+v, want %+v", got, l.want)
			}
			if f.Cgroup.Path != top+l.path {
				t.Errorf("its cgroup is %q, want %q", f.Cgroup.Path, top+l.path)
			}
		})
	}
}

func TestCgroupTree(t *testing.T) {
	top := "/closetrace-test-tree"
	testCgroup(t, top)
	now := time.Unix(1000, 0)
	tree := newCgroupTree(cgroup2Mount())
	tree.now = func() time.Time { return now }
	first, _ := testCgroup(t, top+"/first")
	if path, ok := tree.path(first, 0); path != top+"/first" || !ok {
		t.Errorf("a first walk found %q, %v, want %s/first", path, ok, top)
	}
	second, _ := testCgroup(t, top+"/second")
	if path, ok := tree.path(second, 0); ok {
		t.Errorf("found %q within the time in which no second walk may happen", path)
	}
	now = now.Add(walkEvery)
	if path, _ := tree.path(second, 0); path != top+"/second" {
		t.Errorf("a later walk found %q, want %s/second", path, top)
	}
	third, directory := testCgroup(t, top+"/third")
	pid, _ := sleeper(t, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())})
	if path, _ := tree.path(third, pid); path != top+"/third" {
		t.Errorf("from a process in it, the path is %q, want %s/third", path, top)
	}
	now = now.Add(walkEvery)
	const never = 1 << 62
	if path, ok := tree.path(never, pid); ok {
		t.Errorf("an id that nobody has is %q", path)
	}
	if !tree.gone[never] {
		t.Error("an id that a walk did not find is looked for again")
	}
}

// TestCgroupStaysKnown: the container of a connection is known although its
// cgroup was removed before the connection ended.
func TestCgroupStaysKnown(t *testing.T) {
	mount := cgroup2Mount()
	path := "/closetrace-test-gone"
	id, _ := testCgroup(t, path)
	tree := newCgroupTree(mount)
	tree.path(id, 0)
	if err := os.Remove(mount + path); err != nil {
		t.Fatal(err)
	}
	defer os.Mkdir(mount+path, 0o755) // for the test's own clean-up
	if got, _ := tree.path(id, 0); got != path {
		t.Errorf("path of a removed cgroup is %q, want %q", got, path)
	}
}
