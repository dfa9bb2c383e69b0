//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ParseMode returns the mode of a name.
func ParseMode(name string) (Mode, error) {
	if !slices.Contains(Modes(), Mode(name)) {
		return "", fmt.Errorf("unknown back end %q: want fentry, kprobe or tracepoint", name)
	}
	return Mode(name), nil
}

// DropPrivileges gives up every capability of every thread, for good: the ring
// buffer and the counters are mapped, and links are closed through their
// descriptors. Capabilities in keep, by their number, stay. A program that was
// built with cgo cannot reach the threads of C libraries and fails here.
//
// CAP_SYS_PTRACE is not kept: the executable path of a process of another user
// is then unknown.
func DropPrivileges(keep ...int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); errno == unix.ENOTSUP {
		return errors.New("this program was built with cgo and cannot give up its privileges: build it with CGO_ENABLED=0 (make build)")
	} else if errno != 0 {
		return fmt.Errorf("set no_new_privs: %w", errno)
	}
	var held, left [2]unix.CapUserData
	if err := unix.Capget(&header, &held[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for _, c := range keep {
		bit := held[c/32].Permitted & (1 << (c % 32))
		left[c/32].Effective |= bit
		left[c/32].Permitted |= bit
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&left)), 0)
	if errno != 0 {
		return fmt.Errorf("drop capabilities: %w", errno)
	}
	return nil
}
