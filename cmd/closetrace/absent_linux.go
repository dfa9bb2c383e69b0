package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// processNames returns the names of all processes, none if not all can be seen.
func processNames() (names []string) {
	if _, err := os.Stat("/proc/1/comm"); err != nil {
		return nil // hidepid
	}
	paths, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil {
			names = append(names, strings.TrimSuffix(string(text), "\n"))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// netnsThere returns the network namespaces that have a process or a name. Most are
// hidden from users other than root: it then returns none.
func netnsThere() map[uint32]string {
	there := netnsNames()
	paths, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, path := range paths {
		link, err := os.Readlink(path) // net:[4026531840]
		if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			return nil
		}
		number, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "net:["), "]"), 10, 32)
		if err == nil && there[uint32(number)] == "" {
			there[uint32(number)] = ""
		}
	}
	return there
}
