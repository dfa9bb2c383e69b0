package record

import (
	"errors"
	"os"
	"syscall"
)

// removed reports false: Windows doesn't delete a file that is open here.
func (f *file) removed() bool { return false }

// Windows does not rename a file that is open here.
func lock(*os.File) error      { return nil }
func checkUnused(string) error { return nil }

// Error numbers of winerror.h that package syscall has no names for.
const (
	errorHandleDiskFull = syscall.Errno(39)
	errorDiskFull       = syscall.Errno(112)
	errorNoData         = syscall.Errno(232) // the pipe is being closed
)

func isDiskFull(err error) bool {
	return errors.Is(err, errorDiskFull) || errors.Is(err, errorHandleDiskFull)
}

func isBrokenPipe(err error) bool {
	return errors.Is(err, errorNoData) || errors.Is(err, syscall.ERROR_BROKEN_PIPE)
}
