package agent

import "golang.org/x/sys/unix"

// room returns how many bytes the file system of a directory has left; false if that is
// not known.
func room(directory string) (uint64, bool) {
	var s unix.Statfs_t
	if unix.Statfs(directory, &s) != nil || s.Bsize <= 0 {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true // #nosec G115 -- checked to be positive
}
