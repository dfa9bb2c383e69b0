package sandbox

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// readable is what the names of processes, users, control groups and network namespaces are read from.
var readable = []string{"/proc", "/sys/fs/cgroup", "/run/netns", "/etc/passwd", "/etc/nsswitch.conf", "/usr/share/zoneinfo", "/usr/share/terminfo", "/lib/terminfo", "/etc/terminfo"}

// networkFiles are what names of hosts and certificates are read from.
var networkFiles = []string{
	resolverFile, "/etc/hosts", "/run/systemd/resolve", "/etc/services", "/etc/ssl", "/etc/pki", "/etc/ca-certificates",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
}

// Enter gives up what is not needed any more, for good and on every thread:
// user, capabilities but those to keep, files, system calls. Folders of control groups
// that are mounted elsewhere than usual are in read.
func (b *Box) Enter(keep []int, read ...string) error {
	_, _ = time.Now().Zone() // reads the zone's file once
	if b.options.Off {
		return errors.Join(noNewPrivileges(), leaveOnly(append(keep, unix.CAP_DAC_OVERRIDE))) // rotation in folders of others
	}
	b.entered = true
	calls, conditions := slices.Concat(goCalls, fileCalls, outputCalls, childCalls), goConditions()
	read = slices.Concat(readable, read, b.options.Read)
	if b.options.Network {
		calls = append(calls, networkCalls...)
		conditions = slices.Concat(conditions, networkConditions(), bpfConditions())
		read = append(read, networkFiles...)
		keepResolver()
	} else {
		conditions = slices.Concat(conditions, diagConditions(), bpfConditions())
	}
	if err := b.drop(keep, read, slices.Concat(b.folders, b.options.Write)); err != nil {
		return err
	}
	return allow(calls, conditions)
}

// drop is all but the filter of system calls. What landlock lets through is opened
// by root: the user may not even see the way to it.
func (b *Box) drop(keep []int, read, write []string) error {
	if err := errors.Join(noNewPrivileges(), confine(read, write)); err != nil {
		return err
	}
	return b.dropIdentity(keep)
}

func (b *Box) dropIdentity(keep []int) error {
	if err := errors.Join(emptyBounds(), noNewPrivileges()); err != nil {
		return err
	}
	if os.Geteuid() != b.who.UID {
		if err := become(b.who); err != nil {
			return err
		}
	}
	return leaveOnly(keep)
}
