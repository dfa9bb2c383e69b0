//go:build linux

package process

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Options configures [NewOwners]. The zero value works.
type Options struct {
	// CommandLine: read command lines too. They often hold secrets.
	CommandLine bool
	// Lazy: read about a process when it is first asked for, not about all at once. For
	// programs that keep their privileges.
	Lazy bool
	// BootAhead is how far CLOCK_BOOTTIME of the kernel is ahead of that of this process,
	// in a time namespace: /proc has start times by the latter.
	BootAhead time.Duration
	// Execs, if set, returns a number that changes whenever the process executes a
	// program.
	Execs func(pid int) uint64
	// Reader, if set, reads what this process may not.
	Reader Reader
}

// Reader reads about processes and containers what needs privileges that a trace gives
// up. It may be used by any goroutine.
type Reader interface {
	Executable(pid int) (string, error)
	Names(id, runtime, podUID string) (pod, namespace, container string)
}

// Owners knows what the kernel's messages do not say about a process: its executable, its
// user's name, its control group, container, pod and unit. It reads /proc and the cgroup
// file system, and remembers. Nothing is said of a process that is not certainly the one
// asked for: see [Owners.Describe].
//
// It may be used by one goroutine at a time.
type Owners struct {
	opts  Options
	tree  *cgroupTree
	files *nodeFiles
	kills *kills
	// Processes of the present and of the previous generation: when the present
	// one is full it becomes the previous one, so that both are bounded and
	// what is in use stays.
	young, old map[program]details
	// latest are those that were asked for last, by PID: to hash a name for each end takes
	// longer than to compare it.
	latest [latestMax]struct {
		program
		details
	}
	met    uint64 // processes that were looked up
	users  map[uint32]string
	places map[string]place
}

// Bounds of what is remembered; a host has fewer of each that end connections
// at one time.
const (
	programsMax = 8192
	placesMax   = 8192
	usersMax    = 4096
	latestMax   = 64
)

// NewOwners also reads what is known of all processes that run now, unless opts.Lazy is
// set: the executables of other users' processes can only be read with CAP_SYS_PTRACE,
// which a trace gives up: Options.Reader reads them later.
func NewOwners(opts Options) *Owners {
	o := &Owners{
		opts: opts, tree: newCgroupTree(Cgroup2Mount()), files: newNodeFiles(""),
		young: map[program]details{}, users: map[uint32]string{}, places: map[string]place{},
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	o.kills = newKills(string(mounts), o.tree.mount)
	if opts.Reader != nil {
		o.files.ask = opts.Reader.Names
	}
	if !opts.Lazy {
		o.learnAll()
	}
	return o
}

func (o *Owners) learnAll() {
	for _, name := range fileNames("/proc") {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		execs := o.opts.execs(pid)
		if p, ok := programNow(pid); ok {
			p.execs = execs
			o.details(p)
		}
		if len(o.young) == programsMax-1 {
			return
		}
	}
}

// Meet reads what there is to know of a process while it lives, so that [Owners.Describe]
// can describe it when it has gone. The arguments are those of Describe, and the start
// time is known.
func (o *Owners) Meet(pid int, name string, started, cgroup, execs uint64) {
	o.details(o.program(pid, started, name, execs))
	o.tree.path(cgroup, pid)
}

// Met counts the processes that were not known before.
func (o *Owners) Met() uint64 { return o.met }

// Describe fills in what is known of f.Process, which is named by its PID and its name.
// started is its start time in nanoseconds since boot and cgroup the id of its cgroup v2;
// 0 is unknown. execs is what Options.Execs was then. Where the start time is not known,
// or the process has gone or has executed another program since, what only /proc knows
// stays empty: a PID alone proves nothing.
func (o *Owners) Describe(f *model.Facts, started, cgroup, execs uint64) {
	if f.Process.PID == 0 {
		return
	}
	d := &details{}
	if started != 0 {
		d = o.details(o.program(f.Process.PID, started, f.Process.Name, execs))
		f.Process.Executable.Path, f.Process.Script, f.Process.CommandLine = d.executable, d.script, d.commandLine
	}
	o.place(f, d, cgroup)
	if uid, ok := f.Process.User.ID.Get(); ok && (f.Container.ID == "" || f.Cgroup.Delegated) {
		// A container has a user table of its own: ours may name another user.
		f.Process.User.Name = o.userName(uid)
	}
}

// program names a process as /proc does.
func (o *Owners) program(pid int, started uint64, name string, execs uint64) program {
	return program{pid, (started - uint64(o.opts.BootAhead)) / startTick, name, execs}
}

// place fills in where the process runs.
func (o *Owners) place(f *model.Facts, d *details, cgroup uint64) {
	path, ok := o.tree.path(cgroup, f.Process.PID)
	made := o.tree.made[cgroup]
	if cgroup == 0 { // not reported by the kernel: where the process is now
		path, ok = d.unified, d.unified != "" && !strings.HasPrefix(d.unified, "/..")
		made = ok && o.tree.mount != "" && o.tree.userMade(path)
	}
	var p place
	if ok {
		f.Cgroup.Path, f.Cgroup.Delegated = path, made
		p = o.placeOf(path)
	}
	// On hosts with cgroup v1 the container is only there.
	for _, path := range d.legacy {
		if p != (place{}) {
			break
		}
		p = o.placeOf(path)
	}
	f.Container, f.K8s.Pod.UID, f.Systemd.Unit = p.container, p.podUID, p.unit
	if !f.Cgroup.Delegated { // else it might be another's name
		o.files.name(&f.Container, &f.K8s)
	}
}

// Container returns the container and the pod of a cgroup v2 by its id, or nothing if
// that is in none, or was made by an unprivileged user, who chooses its name.
func (o *Owners) Container(cgroup uint64) (c model.Container, k model.K8s) {
	path, ok := o.tree.path(cgroup, 0)
	if !ok || o.tree.made[cgroup] {
		return
	}
	p := o.placeOf(path)
	c, k.Pod.UID = p.container, p.podUID
	o.files.name(&c, &k)
	return
}

// CgroupPath returns the path of a cgroup v2 by its id, or "".
func (o *Owners) CgroupPath(id uint64) string {
	path, _ := o.tree.path(id, 0)
	return path
}

func (o *Owners) placeOf(path string) place {
	return remembered(o.places, placesMax, path, placeOf)
}

// remembered returns what m has for key, or reads it. A map that is full begins
// again.
func remembered[K comparable, V any](m map[K]V, most int, key K, read func(K) V) V {
	if v, ok := m[key]; ok {
		return v
	}
	if len(m) >= most {
		clear(m)
	}
	v := read(key)
	m[key] = v
	return v
}

// details returns what is remembered or can be read of a process, until it is called
// again.
func (o *Owners) details(p program) *details {
	kept := &o.latest[uint(p.pid)%latestMax]
	if kept.program != p {
		kept.program, kept.details = p, o.lookUp(p)
	}
	return &kept.details
}

// lookUp is details by the generations. If nothing could be read, that is remembered as
// well: a process that is gone does not return.
func (o *Owners) lookUp(p program) details {
	if d, ok := o.young[p]; ok {
		return d
	}
	d, ok := o.old[p]
	if !ok {
		o.met++
		if d, ok = p.read(&o.opts); !ok {
			d = details{}
		}
	}
	if len(o.young) >= programsMax {
		o.old, o.young = o.young, make(map[program]details, programsMax)
		clear(o.latest[:]) // what is in use is asked for again, and so stays
	}
	o.young[p] = d
	return d
}

func (o *Owners) userName(uid uint32) string {
	return remembered(o.users, usersMax, uid, func(uid uint32) string {
		u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
		if err != nil {
			return ""
		}
		return u.Username
	})
}

// View says what an [Owners] can't see from where this process runs, one
// sentence each; nothing on a host.
func (o *Owners) View() []string {
	var limits []string
	if o.tree.mount == "" {
		limits = append(limits, "cgroup v2 is not mounted: control groups are those of cgroup v1, and unknown for processes that have gone")
	} else if root, ok := directoryInode(o.tree.mount); ok && root != rootCgroup {
		limits = append(limits, "only a part of the control groups is mounted here: containers beside this one can't be named; mount the host's /sys/fs/cgroup")
	}
	if InNamespace() {
		limits = append(limits, "this is a PID namespace of its own: processes outside are not found in /proc; use hostPID or --pid=host")
	}
	return limits
}

const rootCgroup = 1 // inode number of the root of cgroup v2 (kernfs)
