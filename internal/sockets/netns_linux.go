package sockets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/procstat"
)

// namespace is a network namespace, held open.
type namespace struct {
	inode uint32
	file  *os.File // nil for our own
	own   bool
}

// spaces is a set of network namespaces.
type spaces []*namespace

func (s spaces) close() {
	for _, n := range s {
		if n.file != nil {
			_ = n.file.Close()
		}
	}
}

func (s spaces) all(yield func(*namespace) bool) {
	for _, n := range s {
		if !yield(n) {
			return
		}
	}
}

// namespaces finds our own namespace and, if asked for, those of all processes
// and those that have a name. One that only orphaned sockets keep alive has no
// way in.
func namespaces(opts *Options) spaces {
	own := &namespace{own: true}
	if info, err := os.Stat("/proc/thread-self/ns/net"); err == nil {
		own.inode = inode(info)
	}
	found := spaces{own}
	if !opts.AllNetNS {
		return found
	}
	seen := map[uint32]bool{own.inode: true}
	reached, refused := map[uint32]bool{processTable("/proc/thread-self"): true}, map[uint32]bool{}
	add := func(path string) {
		n, err := openNamespace(path, seen)
		process, _ := strings.CutSuffix(path, "/ns/net")
		switch {
		case errors.Is(err, fs.ErrPermission) && !ended(process):
			refused[processTable(process)] = true
		case n != nil:
			found = append(found, n)
			reached[processTable(process)] = true
		}
	}
	for _, pid := range processIDs() {
		add("/proc/" + strconv.Itoa(pid) + "/ns/net")
	}
	for _, folder := range []string{"/run/netns", "/run/docker/netns"} {
		entries, _ := filepath.Glob(folder + "/*")
		for _, entry := range entries {
			add(entry)
		}
	}
	for table := range refused {
		if table == 0 || !reached[table] {
			opts.skip(fmt.Errorf("look into other network namespaces (needs CAP_SYS_ADMIN and CAP_SYS_PTRACE, and no security module that forbids it): %w", fs.ErrPermission))
			break
		}
	}
	return found
}

// processTable returns a number that two processes share if they are in one network
// namespace: the inode of /proc/PID/net/tcp, an entry that each namespace has of its
// own (proc_register in fs/proc/generic.c). It takes no privilege, unlike ns/net:
// most processes that may not be looked into are in a namespace that is listed
// anyway. 0 is unknown.
func processTable(process string) uint32 {
	info, err := os.Stat(process + "/net/tcp")
	if err != nil {
		return 0
	}
	return inode(info)
}

// ended reports whether a process has ended: the kernel says EACCES then too
// (proc_ns_get_link).
func ended(process string) bool {
	text, err := os.ReadFile(process + "/stat")
	if err != nil {
		return true
	}
	stat, ok := procstat.Parse(text)
	return !ok || stat.Ended()
}

// openNamespace opens a namespace that was not seen before.
func openNamespace(path string, seen map[uint32]bool) (*namespace, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	number := inode(info)
	if seen[number] {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	// The path may lead elsewhere by now; and a name may be a plain file.
	if info, err = file.Stat(); err != nil || !isNamespace(file) || seen[inode(info)] {
		_ = file.Close()
		return nil, err
	}
	seen[inode(info)] = true
	return &namespace{inode: inode(info), file: file}, nil
}

func isNamespace(file *os.File) bool {
	kind, err := unix.IoctlRetInt(int(file.Fd()), unix.NS_GET_NSTYPE)
	return err == nil && kind == unix.CLONE_NEWNET
}

// dial opens a netlink socket inside the namespace.
func (n *namespace) dial() (*netlink.Conn, error) {
	config := &netlink.Config{MessageBufferSize: dumpBuffer}
	if n.file != nil {
		config.NetNS = int(n.file.Fd())
	}
	c, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, config)
	switch {
	case errors.Is(err, unix.EPERM):
		return nil, fmt.Errorf("enter network namespace %d (needs CAP_SYS_ADMIN): %w", n.inode, fs.ErrPermission)
	case err != nil:
		return nil, fmt.Errorf("open socket monitor: %w", err)
	}
	return c, nil
}
