package safefile

import (
	"io/fs"
	"syscall"
)

// No open() of Windows waits for a reader.
const doNotWait, noReader = 0, syscall.ERROR_BROKEN_PIPE

// foreign: pipes of Windows have no place in folders.
func foreign(fs.FileInfo) bool { return false }
