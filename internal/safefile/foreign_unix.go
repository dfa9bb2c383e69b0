//go:build unix

package safefile

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// doNotWait makes open() of a pipe that nobody reads fail, with noReader.
const doNotWait, noReader = syscall.O_NONBLOCK, syscall.ENXIO

// foreign reports whether a pipe or socket belongs to somebody else than root, this user
// or who called sudo: what is written into it goes to them, and opening it waits for as
// long as they like.
func foreign(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return false
	}
	owner := int(stat.Uid)
	return owner != 0 && owner != os.Geteuid() && strconv.Itoa(owner) != os.Getenv("SUDO_UID")
}
