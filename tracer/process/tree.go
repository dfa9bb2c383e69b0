//go:build linux

package process

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/procstat"
)

const (
	// An unknown cgroup may cause a walk of the tree after walkLeast, and restAfter times
	// what the last one took: users may make any number of groups, and the reader waits.
	walkLeast = 20 * time.Millisecond
	// cgroupsMax bounds the known cgroups, dead ones included, and those of a walk.
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
	asked map[uint64]int
	rest  time.Time // until then there is no walk
	now   func() time.Time
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
	if began := t.now(); !began.Before(t.rest) {
		clear(t.asked)
		all := t.walk()
		now := t.now()
		t.rest = now.Add(walkLeast + restAfter*now.Sub(began))
		if _, ok := t.paths[id]; !ok && all {
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
	at := t.mount
	for element := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		var st unix.Stat_t
		if unix.Stat(at, &st) != nil || delegated(&st) {
			return true
		}
		at = filepath.Join(at, element)
	}
	return false
}

// delegated reports whether a user other than root may create folders in a folder.
func delegated(st *unix.Stat_t) bool {
	const writeOfOthers = 0o022
	return st.Uid != 0 || st.Mode&writeOfOthers != 0
}

// walk learns the cgroups that are there, and reports whether those are all: it ends when
// there is no more room. Those that a user made come last, and so do not displace others.
func (t *cgroupTree) walk() bool {
	t.forgetIfFull()
	var users []string
	folders, made, met := []string{"/"}, false, 1
	for len(folders) > 0 {
		path := folders[0]
		folders = folders[1:]
		var st unix.Stat_t
		if unix.Stat(t.mount+path, &st) == nil { // else it vanished meanwhile
			if t.full() {
				return false
			}
			t.paths[st.Ino] = path
			if made {
				t.made[st.Ino] = true
			}
			var below []string
			if st.Nlink != 2 { // which are . and .. (kernfs_refresh_inode): reading costs most of a walk
				below = folderNames(t.mount+path, cgroupsMax-met)
			}
			if met += len(below); met == cgroupsMax {
				return false
			}
			for _, name := range below {
				if child := filepath.Join(path, name); made || !delegated(&st) {
					folders = append(folders, child)
				} else {
					users = append(users, child)
				}
			}
		}
		if len(folders) == 0 && !made {
			folders, made = users, true
		}
	}
	return true
}

// folderNames returns the names of folders in a folder, up to a bound.
func folderNames(path string, most int) []string {
	d, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer d.Close()
	var names []string
	for {
		const atOnce = 256
		entries, err := d.ReadDir(atOnce)
		for _, e := range entries {
			if e.IsDir() && len(names) < most {
				names = append(names, e.Name())
			}
		}
		if err != nil || len(names) == most {
			return names
		}
	}
}

func (t *cgroupTree) add(id uint64, path string) {
	t.forgetIfFull()
	t.paths[id] = path
}

func (t *cgroupTree) full() bool { return len(t.paths)+len(t.gone) >= cgroupsMax }

func (t *cgroupTree) forgetIfFull() {
	if t.full() {
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
	m := parseMemberships(string(text))
	if m.memory == "/" && exiting(pid) { // then in no other group of cgroup v1 (proc_cgroup_show)
		m.memory = ""
	}
	return m
}

func exiting(pid int) bool {
	text, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return true
	}
	stat, ok := procstat.Parse(text)
	return !ok || stat.Exiting
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
