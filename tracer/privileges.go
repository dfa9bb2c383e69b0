//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// missingCapabilities returns which of the needed capabilities this process
// does not have. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON.
func missingCapabilities() []string {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return nil
	}
	held := func(c int) bool { return data[c/32].Effective>>(c%32)&1 == 1 }
	var missing []string
	for _, c := range []struct {
		number int
		name   string
	}{{unix.CAP_BPF, "CAP_BPF"}, {unix.CAP_PERFMON, "CAP_PERFMON"}, {unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}} {
		if !held(c.number) && (c.number == unix.CAP_NET_ADMIN || !held(unix.CAP_SYS_ADMIN)) {
			missing = append(missing, c.name)
		}
	}
	return missing
}

// PrivilegeError says which capabilities are missing and how to get them. It
// matches [fs.ErrPermission].
type PrivilegeError struct{ Missing []string }

// Error implements error.
func (e *PrivilegeError) Error() string {
	return fmt.Sprintf("tracing needs %s: run it with sudo (README, Privileges, says how to let a group trace without)",
		strings.Join(e.Missing, ", "))
}

// Is implements the interface that errors.Is looks for.
func (e *PrivilegeError) Is(target error) bool { return target == fs.ErrPermission }

// withOnly calls f on a thread where no capabilities but those to keep, by number, are
// effective meanwhile. The thread must get its capabilities back: dropping privileges on
// all threads panics if the threads differ (psx.Syscall3).
func withOnly(f func() error, keep ...int) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	if err := unix.Capget(&header, &held[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	bare := held
	bare[0].Effective, bare[1].Effective = 0, 0
	for _, c := range keep {
		bare[c/32].Effective |= held[c/32].Permitted & (1 << (c % 32))
	}
	if err := unix.Capset(&header, &bare[0]); err != nil {
		return fmt.Errorf("lower capabilities: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Capset(&header, &held[0])) }()
	return f()
}
