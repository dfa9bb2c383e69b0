//go:build linux

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/closetrace/closetrace/tracer/process/processtest"
)

// sleeperIn starts a process in a control group.
func sleeperIn(t *testing.T, directory *os.File) (pid int, started uint64) {
	t.Helper()
	return sleeper(t, &exec.Cmd{SysProcAttr: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}})
}

// TestCgroupsOfRuntimes makes the cgroups that runtimes make and a process in
// each: the id alone, as the kernel reports it, leads to the container.
func TestCgroupsOfRuntimes(t *testing.T) {
	top := "/closetrace-test-runtimes"
	processtest.Cgroup(t, Cgroup2Mount(), top)
	o := NewOwners(Options{})
	for _, l := range processtest.Layouts() {
		if !l.Possible() {
			continue
		}
		t.Run(l.Name, func(t *testing.T) {
			id, directory := processtest.Cgroup(t, Cgroup2Mount(), top+l.Path)
			pid, started := sleeperIn(t, directory)
			f := factsOf(pid, processtest.SleeperName)
			o.Describe(&f, started, id, 0)
			if got := processtest.PlaceOf(&f); got != l.Want {
				t.Errorf("the process is in %+v, want %+v", got, l.Want)
			}
			if f.Cgroup.Path != top+l.Path {
				t.Errorf("its cgroup is %q, want %q", f.Cgroup.Path, top+l.Path)
			}
		})
	}
}

func TestCgroupTree(t *testing.T) {
	top := "/closetrace-test-tree"
	processtest.Cgroup(t, Cgroup2Mount(), top)
	now := time.Unix(1000, 0)
	tree := newCgroupTree(Cgroup2Mount())
	tree.now = func() time.Time { return now }
	first, _ := processtest.Cgroup(t, Cgroup2Mount(), top+"/first")
	if path, ok := tree.path(first, 0); path != top+"/first" || !ok {
		t.Errorf("a first walk found %q, %v, want %s/first", path, ok, top)
	}
	second, _ := processtest.Cgroup(t, Cgroup2Mount(), top+"/second")
	if path, ok := tree.path(second, 0); ok {
		t.Errorf("found %q within the time in which no second walk may happen", path)
	}
	now = now.Add(walkLeast)
	if path, _ := tree.path(second, 0); path != top+"/second" {
		t.Errorf("a later walk found %q, want %s/second", path, top)
	}
	third, directory := processtest.Cgroup(t, Cgroup2Mount(), top+"/third")
	pid, _ := sleeperIn(t, directory)
	if path, _ := tree.path(third, pid); path != top+"/third" {
		t.Errorf("from a process in it, the path is %q, want %s/third", path, top)
	}
	now = now.Add(walkLeast)
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
	mount := Cgroup2Mount()
	path := "/closetrace-test-gone"
	id, _ := processtest.Cgroup(t, Cgroup2Mount(), path)
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

// TestCgroupIsAskedOnce: a busy process that has left a control group is not asked again
// for each of its ends, but at the next walk.
func TestCgroupIsAskedOnce(t *testing.T) {
	top := "/closetrace-test-asked"
	processtest.Cgroup(t, Cgroup2Mount(), top)
	now := time.Unix(1000, 0)
	tree := newCgroupTree(Cgroup2Mount())
	tree.now = func() time.Time { return now }
	_, elsewhere := processtest.Cgroup(t, Cgroup2Mount(), top+"/elsewhere")
	tree.path(1<<40, 0) // a walk
	id, folder := processtest.Cgroup(t, Cgroup2Mount(), top+"/left")
	pid, _ := sleeperIn(t, elsewhere)
	if path, ok := tree.path(id, pid); ok {
		t.Fatalf("found %q, where the process is not", path)
	}
	if err := os.WriteFile(filepath.Join(folder.Name(), "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		t.Fatal(err)
	}
	if path, ok := tree.path(id, pid); ok {
		t.Errorf("found %q: the process was asked again", path)
	}
	now = now.Add(walkLeast)
	if path, ok := tree.path(id, pid); path != top+"/left" || !ok {
		t.Errorf("a walk found %q, %v", path, ok)
	}
}

// TestCgroupWalksRest: while the tree is walked the reader waits, and a user may make any
// number of groups. So the rest is many times as long as the walk, and begins after it.
func TestCgroupWalksRest(t *testing.T) {
	tree := newCgroupTree(t.TempDir())
	now, took := time.Unix(1000, 0), 2*time.Second
	var asked int
	tree.now = func() time.Time {
		if asked++; asked == 2 { // after the first walk
			now = now.Add(took)
		}
		return now
	}
	const never = 1 << 62
	tree.path(never, 0)
	late := folderIn(t, tree.mount, "/late")
	if _, ok := tree.path(late, 0); ok {
		t.Error("there was a second walk directly after the first")
	}
	now = now.Add(restAfter * took)
	if _, ok := tree.path(late, 0); ok {
		t.Errorf("there was a second walk before %v", restAfter*took+walkLeast)
	}
	now = now.Add(walkLeast)
	if path, _ := tree.path(late, 0); path != "/late" {
		t.Errorf("the next walk found %q", path)
	}
}

// TestCgroupWalkEndsAtTheBound: what was known stays, what a user made does not displace
// the others, and what was not found may still be there.
func TestCgroupWalkEndsAtTheBound(t *testing.T) {
	tree := newCgroupTree(t.TempDir())
	const user, old, room = 12345, 1 << 61, 5
	mine := folderIn(t, tree.mount, "/a")
	if err := os.Chown(tree.mount+"/a", user, user); err != nil {
		t.Skip(err)
	}
	for i := range 2 * room {
		folderIn(t, tree.mount, "/a/"+strconv.Itoa(i))
	}
	roots := folderIn(t, tree.mount, "/z/z")
	for i := range uint64(cgroupsMax - room) { // the top, a, z, z/z and one of the user's
		tree.add(old+i, "/gone")
	}
	const never = 1 << 62
	tree.path(never, 0)
	for id, want := range map[uint64]string{old: "/gone", mine: "/a", roots: "/z/z"} {
		if path := tree.paths[id]; path != want {
			t.Errorf("after a walk that ended early %q is known, want %s", path, want)
		}
	}
	if n := len(tree.paths); n != cgroupsMax {
		t.Errorf("%d groups are known, want %d", n, cgroupsMax)
	}
	if tree.gone[never] {
		t.Error("a walk that ended early has proved that a group is gone")
	}
	tree.rest = time.Time{}
	if tree.path(never, 0); !tree.gone[never] || len(tree.paths) > 20 {
		t.Errorf("the next walk has not begun with an empty table: %d known", len(tree.paths))
	}
}

// folderIn makes a folder and returns the number that it has as a group.
func folderIn(t *testing.T, mount, path string) uint64 {
	t.Helper()
	if err := os.MkdirAll(mount+path, 0o755); err != nil {
		t.Fatal(err)
	}
	id, _ := directoryInode(mount + path)
	return id
}
