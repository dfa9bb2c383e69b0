package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const netnsUsage = "only this network namespace: `NETNS` is self, a name of ip netns, a path such as /proc/812/ns/net, or an inode number"

// netns is a flag that names a network namespace; its value is the inode number, or 0.
type netns uint32

func (n *netns) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(*n), 10)
}

// Set implements pflag.Value.
func (n *netns) Set(text string) error {
	if number, err := strconv.ParseUint(text, 10, 32); err == nil && number != 0 {
		*n = netns(number)
		return nil
	}
	path := text
	switch {
	case text == "self":
		path = "/proc/self/ns/net"
	case !strings.Contains(text, "/"):
		path = filepath.Join("/run/netns", text)
	}
	file, err := os.Open(path)
	switch {
	case os.IsNotExist(err):
		return fmt.Errorf("there is no %s: want self, a name of ip netns, a path such as /proc/812/ns/net, or an inode number", path)
	case err != nil:
		return err
	}
	defer file.Close()
	number, err := netnsInode(file)
	if err != nil {
		return fmt.Errorf("%s is not a network namespace: %w", path, err)
	}
	*n = netns(number)
	return nil
}

// Type implements pflag.Value.
func (*netns) Type() string { return "netns" }
