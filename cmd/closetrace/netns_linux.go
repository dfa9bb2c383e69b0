package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// netnsNames returns the names that ip netns and Docker gave to network namespaces, and
// "this" for our own, by their numbers.
func netnsNames() map[uint32]string {
	names := map[uint32]string{}
	for _, path := range []string{"/run/netns/*", "/run/docker/netns/*", "/proc/self/ns/net"} {
		entries, _ := filepath.Glob(path)
		for _, entry := range entries {
			var stat unix.Stat_t
			if unix.Stat(entry, &stat) == nil {
				names[uint32(stat.Ino)] = filepath.Base(entry)
			}
			if entry == "/proc/self/ns/net" {
				names[uint32(stat.Ino)] = "this"
			}
		}
	}
	return names
}

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
