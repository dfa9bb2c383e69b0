package main

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/privilege"
)

// lendNothing starts c in a user namespace of its own where this process has its
// capabilities from its file: there c may make network namespaces, which is all that
// it needs, and the file's capabilities do not count (rootid_owns_currentns,
// security/commoncap.c since 4.14).
func lendNothing(c *exec.Cmd) {
	if !privilege.Borrowed() {
		return
	}
	// A program with file capabilities is not dumpable, its files in /proc are root's,
	// and the maps below could not be written.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
}
