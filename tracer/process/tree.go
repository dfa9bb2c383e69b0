//go:build linux

package process

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// An unknown cgroup may cause a walk of the tree after walkLeast, and restAfter times
	// what the last one took, but walkEvery at most: containers may live for less.
	walkLeast = 20 * time.Millisecond
	walkEvery = time.Second
	// cgroupsMax bounds the known cgroups, dead ones included.
	cgroupsMax = 65536
)

// cgroupTree finds the path of a cgroup v2 by its id, which is the inode number
// of its directory. The kernel never uses an id twice (kernfs_new_node), and a
// cgroup v2 is never renamed: what was learnt stays true.
type cgroupTree struct {
	mount string // "" if cgroup v2 is not mounted
	paths map[uint64]string
	// made are the cgroups whose paths a user could have made.
	made map[uint64]bool
	// gone are ids that were in use before a walk began that did not find them.
	gone map[uint64]bool
	// asked is the process that was last found elsewhere than in an unknown cgroup, since
	// the last walk: it is asked once, and not for each of its ends.
	asked  map[uint64]int
	walked time.Time
	rest   time.Duration // after that
	now    func() time.Time
}

func newCgroupTree(mount string) *cgroupTree {
	return &cgroupTree{mount: mount, paths: map[uint64]string{}, made: map[uint64]bool{}, gone: map[uint64]bool{}, asked: map[uint64]int{}, now: time.Now}
}

// path returns the path below the mount; pid is a process that may be in it.
func (t *cgroupTree) path(id uint64, pid int) (string, bool) {
	if t.mount == "" || id == 0 {
		return "", false
	}
	if path, ok := t.paths[id]; ok {
		return path, true
	}
	if t.gone[id] {
		return "", false
	}
	if t.asked[id] != pid && t.learnFrom(id, pid) {
		return t.paths[id], true
	}
	if now := t.now(); now.Sub(t.walked) >= t.rest {
		t.walked = now
		clear(t.asked)
		t.walk()
		t.rest = min(walkEvery, walkLeast+restAfter*t.now().Sub(now))
		if _, ok := t.paths[id]; !ok {
			t.forgetIfFull()
			t.gone[id] = true
		}
	}
	path, ok := t.paths[id]
	if !ok && len(t.asked) < cgroupsMax {
		t.asked[id] = pid
	}
	return path, ok
}

// learnFrom looks where the process is now. The directory's inode number shows
// whether that is the cgroup asked for.
func (t *cgroupTree) learnFrom(id uint64, pid int) bool {
	if pid == 0 {
		return false
	}
	path := cgroupsOf(pid).unified
	if path == "" || strings.Contains(path, "/..") {
		return false
	}
	found, ok := directoryInode(filepath.Join(t.mount, path))
	if !ok || found != id {
		return false
	}
	t.learn(id, path)
	return true
}

// learn adds a cgroup that is there.
func (t *cgroupTree) learn(id uint64, path string) {
	t.add(id, path)
	if t.userMade(path) {
		t.made[id] = true
	}
}

// userMade reports whether a user other than root may create folders in an ancestor of
// path, and so may have chosen a name in it: a part of the tree is delegated to users
// (systemd does so for each that logs in). A folder that is gone may have been one.
func (t *cgroupTree) userMade(path string) bool {
	const writeOfOthers = 0o022
	at := t.mount
	for element := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		var st unix.Stat_t
		if unix.Stat(at, &st) != nil || st.Uid != 0 || st.Mode&writeOfOthers != 0 {
			return true
		}
		at = filepath.Join(at, element)
	}
	return false
}

func (t *cgroupTree) walk() {
	_ = filepath.WalkDir(t.mount+"/", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // a cgroup that vanished meanwhile
		}
		if id, ok := directoryInode(path); ok {
			t.learn(id, "/"+strings.TrimPrefix(strings.TrimPrefix(path, t.mount), "/"))
		}
		return nil
	})
}

func (t *cgroupTree) add(id uint64, path string) {
	t.forgetIfFull()
	t.paths[id] = path
}

func (t *cgroupTree) forgetIfFull() {
	if len(t.paths)+len(t.gone) >= cgroupsMax {
		clear(t.paths)
		clear(t.made)
		clear(t.gone)
	}
}

func directoryInode(path string) (uint64, bool) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return 0, false
	}
	return st.Ino, true
}

// memberships is /proc/PID/cgroup: the path in cgroup v2, and those in the
// hierarchies of v1.
type memberships struct {
	unified string
	legacy  []string // name=systemd first: it names units and containers
	memory  string   // the one of the memory controller in v1
}

func cgroupsOf(pid int) memberships {
	text, err := os.ReadFile(procPath(pid, "cgroup"))
	if err != nil {
		return memberships{}
	}
	return parseMemberships(string(text))
}

// parseMemberships reads cgroups(7), "/proc files".
func parseMemberships(text string) memberships {
	var m memberships
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		path := strings.TrimSuffix(fields[2], " (deleted)")
		if strings.Contains(","+fields[1]+",", ",memory,") {
			m.memory = path
		}
		switch {
		case fields[0] == "0" && fields[1] == "":
			m.unified = path
		case fields[1] == "name=systemd":
			m.legacy = append([]string{path}, m.legacy...)
		default:
			m.legacy = append(m.legacy, path)
		}
	}
	return m
}
