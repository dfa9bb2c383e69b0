//go:build unix

package record

import (
	"errors"
	"os"
	"syscall"
)

// removed reports whether the file has no name any more: what is written now is lost as
// soon as it is closed.
func (f *file) removed() bool {
	if !f.regular {
		return false
	}
	info, err := f.f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}

// lock keeps other recorders from continuing the file, for as long as it is open. Not every
// file system has locks.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return errInUse
	}
	return nil
}

// checkUnused returns an error if a recorder writes to a file.
func checkUnused(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) // #nosec G304 -- it is to be taken over
	if err != nil {
		return nil // renaming it says why
	}
	defer f.Close()
	return lock(f)
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed)
}
