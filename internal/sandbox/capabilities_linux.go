package sandbox

import (
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Package psx makes a system call on every thread, also on those of C code where
// the program was built with cgo.
func onAllThreads(number, a, b, c uintptr) error {
	if _, _, errno := psx.Syscall6(number, a, b, c, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func noNewPrivileges() error {
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

// emptyBounds empties the bounding and the ambient set: no exec gives anything back.
// Without CAP_SETPCAP the bounding set stays; no_new_privs forbids the same.
func emptyBounds() error {
	if !Held(unix.CAP_SETPCAP) {
		return nil
	}
	for _, c := range bounds() {
		if err := onAllThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0); err != nil {
			return fmt.Errorf("empty the capability bounding set: %w", err)
		}
	}
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return fmt.Errorf("empty the ambient capability set: %w", err)
	}
	return nil
}

// bounds returns the capabilities in this thread's bounding set.
func bounds() []uintptr {
	var in []uintptr
	for c := uintptr(0); ; c++ {
		switch has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); {
		case err != nil: // the last one that this kernel has was the one before
			return in
		case has == 1:
			in = append(in, c)
		}
	}
}

// helperBounds are what helpers have at their start; they drop it themselves.
var helperBounds = []uintptr{
	unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_SYS_PTRACE,
}

// shrinkBounds leaves this thread's bounding set what helpers need. It is theirs when
// they are started: to drop forty capabilities one by one on all their threads takes
// tens of milliseconds.
func shrinkBounds() error {
	if !Held(unix.CAP_SETPCAP) {
		return nil
	}
	keep := append(fileCapabilities(), helperBounds...)
	for _, c := range bounds() {
		if slices.Contains(keep, c) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("shrink the capability bounding set: %w", err)
		}
	}
	return nil
}

// fileCapabilities are those of this program's file, as the packages set them. The kernel
// does not execute it, not even for root, by a thread whose bounding set lacks one
// (security/commoncap.c, bprm_caps_from_vfs_caps: EPERM).
func fileCapabilities() (has []uintptr) {
	var data [24]byte // struct vfs_ns_cap_data: a word, permitted and inheritable twice, another word
	if n, err := unix.Getxattr("/proc/self/exe", "security.capability", data[:]); err != nil || n < 20 {
		return nil
	}
	for c := range uintptr(64) {
		if binary.LittleEndian.Uint32(data[4+8*(c/32):])>>(c%32)&1 == 1 {
			has = append(has, c)
		}
	}
	return has
}

// become changes user and groups of all threads. Permitted capabilities stay until
// leaveOnly.
func become(who Identity) error {
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	err := syscall.Setgroups([]int{})
	if err == nil {
		err = syscall.Setresgid(who.GID, who.GID, who.GID)
	}
	if err == nil {
		err = syscall.Setresuid(who.UID, who.UID, who.UID)
	}
	if err != nil {
		return fmt.Errorf("become user %s: %w", who.Name, err)
	}
	return nil
}

// leaveOnly gives up every capability but those of keep, for good.
func leaveOnly(keep []int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held, left [2]unix.CapUserData
	if err := unix.Capget(&header, &held[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for _, c := range keep {
		bit := held[c/32].Permitted & (1 << (c % 32))
		left[c/32].Effective |= bit
		left[c/32].Permitted |= bit
	}
	err := onAllThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&left)), 0)
	if err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// Held reports whether this thread may use a capability.
func Held(c int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	return unix.Capget(&header, &held[0]) == nil && held[c/32].Permitted>>(c%32)&1 == 1
}

// mayBecome reports whether this process can become another user.
func mayBecome() bool { return Held(unix.CAP_SETUID) && Held(unix.CAP_SETGID) }
