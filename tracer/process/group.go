//go:build linux

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Group is a control group of our own, to follow a command and all that it
// starts: children are born into their parent's group, and the kernel names
// the group of each connection's owner.
type Group struct {
	directory string
	parent    string
	path      string
	id        uint64
}

// NewGroup makes a group below the one that this process is in, so that all
// limits hold for it too. It needs a mounted cgroup v2 and the right to write
// there: root, or a delegated scope of systemd.
func NewGroup(name string) (*Group, error) {
	mount := Cgroup2Mount()
	own := cgroupsOf(os.Getpid()).unified
	if mount == "" || own == "" || strings.Contains(own, "/..") {
		return nil, fmt.Errorf("make a control group: cgroup v2 is not mounted here (mount -t cgroup2 none /mnt): %w", errors.ErrUnsupported)
	}
	g := &Group{parent: filepath.Join(mount, own), path: filepath.Join(own, name)}
	g.directory = filepath.Join(g.parent, name)
	switch err := os.Mkdir(g.directory, 0o755); { // #nosec G301 -- a folder of the cgroup file system
	case err == nil:
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		why := errors.Unwrap(err) // without the folder, which is of no interest
		return nil, fmt.Errorf("a command is followed in a control group of its own: run closetrace with sudo or as systemd-run --user --scope, or start the command and use --pid: %w", why)
	default:
		return nil, fmt.Errorf("make a control group: %w", err)
	}
	id, ok := directoryInode(g.directory)
	if !ok {
		return nil, errors.Join(fmt.Errorf("make a control group: %s has no inode", g.directory), g.Close())
	}
	g.id = id
	return g, nil
}

// Path returns the group's path, as records name it.
func (g *Group) Path() string { return g.path }

// Directory returns where the group is in the file system, for this process alone.
func (g *Group) Directory() string { return g.directory }

// GroupAt returns a group that another process made, by its path. Making and removing one
// needs privileges that a trace gives up.
func GroupAt(path string) *Group {
	directory := filepath.Join(Cgroup2Mount(), path)
	return &Group{directory: directory, parent: filepath.Dir(directory), path: path}
}

// ID returns the group's number, as the kernel names it.
func (g *Group) ID() uint64 { return g.id }

func move(pid int, group string) error {
	err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	if err != nil {
		return fmt.Errorf("move process %d into a control group: %w", pid, err)
	}
	return nil
}

// removePatience is how long Close waits for processes that are ending.
const removePatience = time.Second

// Close removes the group. Processes that still run in it are moved to the parent group.
func (g *Group) Close() error {
	events, err := os.Open(filepath.Join(g.directory, "cgroup.events"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("remove control group %s: %w", g.path, err)
	}
	defer events.Close()
	for deadline := time.Now().Add(removePatience); ; {
		// Poll reports what changes after this: "populated", when the last process has
		// gone (cgroup-v2.rst, "Un-populated Notification").
		_, _ = events.ReadAt(make([]byte, 64), 0)
		err := unix.Rmdir(g.directory)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		left := time.Until(deadline)
		if !errors.Is(err, unix.EBUSY) || left <= 0 {
			return fmt.Errorf("remove control group %s: %w", g.path, err)
		}
		if g.moveOut() == 0 { // those that are left end by themselves
			change := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
			_, _ = unix.Poll(change, int(left.Milliseconds())+1)
		}
	}
}

// moveOut moves the processes of the group into its parent, and returns how many.
func (g *Group) moveOut() (moved int) {
	text, _ := os.ReadFile(filepath.Join(g.directory, "cgroup.procs"))
	for line := range strings.Lines(string(text)) {
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && move(pid, g.parent) == nil {
			moved++
		}
	}
	return moved
}
