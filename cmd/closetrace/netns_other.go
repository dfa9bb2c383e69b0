//go:build !linux

package main

import (
	"errors"
	"os"
)

func netnsNames() map[uint32]string { return nil }

// netnsInode: only Linux has network namespaces; in a recording the number is known.
func netnsInode(*os.File) (uint32, error) { return 0, errors.ErrUnsupported }
