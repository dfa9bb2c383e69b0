package privilege

import (
	"os"

	"golang.org/x/sys/unix"
)

// atSecure is AT_SECURE, "secure execution": the kernel sets it when an exec
// gave the process more than its caller had (cap_bprm_creds_from_file since
// 5.8, cap_bprm_set_creds before; getauxval(3)).
const atSecure = 23

// Borrowed reports whether the privileges of this process came from its file:
// from file capabilities or a set-user-ID bit. The file's mode, not the caller,
// then decides who may use them. Where the kernel does not say, it is true. A
// process that has given all capabilities up borrows nothing.
func Borrowed() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	if unix.Capget(&header, &held[0]) == nil && held[0].Permitted|held[1].Permitted == 0 {
		return false
	}
	// Not from /proc/self/auxv: such a process may not read it.
	vector, err := unix.Auxv()
	if err != nil {
		return true
	}
	for _, entry := range vector {
		if entry[0] == atSecure {
			return entry[1] != 0
		}
	}
	return true
}

// Lends reports whether the file at path gives capabilities to every user of
// this host.
func Lends(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o001 == 0 {
		return false
	}
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}
