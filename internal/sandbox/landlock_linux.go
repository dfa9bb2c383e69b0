package sandbox

import (
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	abi "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// What a folder for output files is good for: new files, and to rename and remove them.
const writing = abi.AccessFSReadDir | abi.AccessFSReadFile | abi.AccessFSWriteFile | abi.AccessFSTruncate |
	abi.AccessFSMakeReg | abi.AccessFSRemoveFile

// Landlock returns the version of landlock that this kernel has; 0 is none (before
// 5.13, or not configured).
func Landlock() int {
	version, err := abi.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return version
}

// confine leaves access to these files, and what is below these folders, only.
// Kernels that have less of landlock, or none, enforce what they have.
func confine(read, write []string) error {
	if Landlock() == 0 {
		return nil
	}
	var rules []landlock.Rule
	for _, path := range read {
		access := landlock.AccessFSSet(abi.AccessFSReadFile)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			access |= abi.AccessFSReadDir
		}
		rules = append(rules, landlock.PathAccess(access, path).IgnoreIfMissing())
	}
	for _, path := range write {
		rules = append(rules, landlock.PathAccess(writing, path).IgnoreIfMissing())
	}
	if err := landlock.V9.BestEffort().RestrictPaths(rules...); err != nil {
		return fmt.Errorf("confine to files (landlock): %w", err)
	}
	return nil
}
