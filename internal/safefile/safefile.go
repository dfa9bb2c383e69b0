// Package safefile is the one way in which output files are made. closetrace runs
// as root in folders of other users, who may have put links where it writes.
package safefile

import (
	"fmt"
	"io/fs"
	"os"
)

// Create makes path for its owner alone (0600). With force a file of that name is
// replaced: it is unlinked, not truncated, so that a hard link made by somebody
// else is not written through. A symbolic link is never followed. Devices and
// pipes are opened as they are. The error of a file that is there matches
// [fs.ErrExist].
func Create(path string, force bool) (*os.File, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s is a symbolic link: name the file itself, or - for standard output", path)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory", path)
	case !force:
		return nil, fmt.Errorf("%s: %w; --force overwrites it", path, fs.ErrExist)
	case !info.Mode().IsRegular():
		return os.OpenFile(path, os.O_WRONLY|noFollow, 0)
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND|noFollow, 0o600)
}
