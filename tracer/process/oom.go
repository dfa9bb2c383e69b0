//go:build linux

package process

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

const (
	// lookEvery is how often the host's count of kills is read, lookAtKill after a SIGKILL.
	lookEvery  = time.Second
	lookAtKill = 10 * time.Millisecond
	// killFor is how long a kill may explain the end of a process by SIGKILL.
	killFor = 3 * time.Second
	// restAfter is how often as long as a search took there is none: there may be thousands
	// of groups, and a user may have his processes killed all the time.
	restAfter = 20
)

// kills counts those of the OOM killer, by memory control group. A group's counter begins
// at 0 and moves before the signal is sent (__oom_kill_process, mm/oom_kill.c). The
// host's counter is read each second; only when it has moved are all groups searched.
// Both files are readable by everybody.
type kills struct {
	root   string // the hierarchy with the memory controller
	file   string // the file with the counter; in v2 it includes the groups below
	vmstat string
	host   uint64
	counts map[string]uint64 // by the group's folder
	moved  map[string]time.Time
	looked time.Time
	behind bool      // the host's counter has moved, and the groups were not searched yet
	rest   time.Time // until then
	now    func() time.Time
}

// newKills takes the text of proc_pid_mountinfo(5).
func newKills(mounts, unified string) *kills {
	k := &kills{root: unified, file: "memory.events", vmstat: "/proc/vmstat", moved: map[string]time.Time{}, now: time.Now}
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(strings.TrimSpace(line), " - ")
		place, of := strings.Fields(before), strings.Fields(after)
		if len(place) > 4 && len(of) == 3 && of[0] == "cgroup" && strings.Contains(","+of[2]+",", ",memory,") {
			k.root, k.file = unescapeMount(place[4]), "memory.oom_control"
		}
	}
	k.host, _ = killsIn(k.vmstat)
	k.scan()
	return k
}

// unified reports whether the groups are those of cgroup v2.
func (k *kills) unified() bool { return k.file == "memory.events" }

// look finds the groups whose counter has moved, if the last look is so long ago.
func (k *kills) look(again time.Duration) {
	now := k.now()
	if now.Sub(k.looked) < again {
		return
	}
	k.looked = now
	host, known := killsIn(k.vmstat)
	if !known || host == k.host {
		return
	}
	if k.behind = now.Before(k.rest); k.behind {
		return
	}
	k.host = host
	k.scan()
	k.rest = now.Add(restAfter * k.now().Sub(now))
}

// scan reads all counters. A group that was not known has begun at 0.
func (k *kills) scan() {
	if k.root == "" {
		return
	}
	before := k.counts
	k.counts = map[string]uint64{}
	for folder, at := range k.moved {
		if k.now().Sub(at) > killFor {
			delete(k.moved, folder)
		}
	}
	_ = filepath.WalkDir(k.root+"/", func(path string, d fs.DirEntry, err error) error { // which may be a link
		path = filepath.Clean(path)
		if err != nil || !d.IsDir() || len(k.counts) >= cgroupsMax {
			return nil // a group that vanished meanwhile
		}
		n, known := killsIn(filepath.Join(path, k.file))
		if !known {
			return nil
		}
		if before != nil && n > before[path] {
			k.moved[path] = k.now()
		}
		k.counts[path] = n
		return nil
	})
}

// killed reports whether the OOM killer has just killed in a group; unknown if the group
// is gone.
func (k *kills) killed(path string) (moved model.Opt[bool]) {
	if k.root == "" || path == "" {
		return moved
	}
	k.look(lookAtKill)
	folder := filepath.Join(k.root, path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return moved
	}
	for ; len(folder) >= len(k.root); folder = filepath.Dir(folder) {
		if at, ok := k.moved[folder]; ok && k.now().Sub(at) <= killFor {
			return model.Some(true)
		}
		if _, known := killsIn(filepath.Join(folder, k.file)); known && !k.behind {
			return model.Some(false)
		}
	}
	return moved
}

// killsIn reads oom_kill of a file with a name and a number in each line.
func killsIn(file string) (n uint64, known bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// LookForKills notices where the OOM killer has killed. It is called all the time, and reads
// a file once a second.
func (o *Owners) LookForKills() { o.kills.look(lookEvery) }

// KilledByOOM reports whether the OOM killer has killed in the memory control group of a
// process that has just ended by SIGKILL. The arguments are those of [Owners.Describe].
func (o *Owners) KilledByOOM(pid int, name string, started, cgroup, execs uint64) model.Opt[bool] {
	if !o.kills.unified() {
		return o.kills.killed(o.details(o.program(pid, started, name, execs)).memory)
	}
	path, _ := o.tree.path(cgroup, pid)
	return o.kills.killed(path)
}
