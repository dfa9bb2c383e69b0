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

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed)
}
