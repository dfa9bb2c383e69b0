package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// netnsInode returns the number of an open namespace, if it is of the network.
func netnsInode(file *os.File) (uint32, error) {
	kind, err := unix.IoctlRetInt(int(file.Fd()), unix.NS_GET_NSTYPE) // since Linux 4.11
	if err != nil {
		return 0, err
	}
	if kind != unix.CLONE_NEWNET {
		return 0, errors.New("it is a namespace of another kind")
	}
	var stat unix.Stat_t
	err = unix.Fstat(int(file.Fd()), &stat)
	return uint32(stat.Ino), err
}
