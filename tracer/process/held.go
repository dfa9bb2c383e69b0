//go:build linux

package process

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Holder is a process and the sockets that it holds.
type Holder struct {
	PID     int
	Name    string
	UID     uint32
	Started uint64   // nanoseconds since boot, by this process's clock
	Cgroup  uint64   // id of its cgroup v2, or 0
	Sockets []uint64 // their inodes
}

// Holders calls do with each process that holds sockets, in the order of PIDs. Those of
// other users need CAP_SYS_PTRACE. mount is where cgroup v2 is, or "".
func Holders(mount string, do func(*Holder)) {
	for _, pid := range processes() {
		h := Holder{PID: pid, Sockets: socketsOf(pid)}
		if len(h.Sockets) == 0 {
			continue
		}
		p, ok := programNow(pid)
		if !ok {
			continue
		}
		h.Name, h.Started, h.UID = p.name, p.start*startTick, uidOf(pid)
		if path := cgroupsOf(pid).unified; mount != "" && path != "" {
			h.Cgroup, _ = directoryInode(filepath.Join(mount, path))
		}
		do(&h)
	}
}

func processes() (pids []int) {
	for _, name := range fileNames("/proc") {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

func socketsOf(pid int) (inodes []uint64) {
	fds := procPath(pid, "fd")
	for _, name := range fileNames(fds) {
		link, err := os.Readlink(filepath.Join(fds, name))
		if err != nil {
			continue
		}
		if inode, ok := inodeIn(link, "socket"); ok {
			inodes = append(inodes, inode)
		}
	}
	return inodes
}

// inodeIn reads what links in /proc point to, such as socket:[4711].
func inodeIn(link, kind string) (uint64, bool) {
	text, ok := strings.CutPrefix(link, kind+":[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
	return inode, err == nil
}

// uidOf returns the real one, as the kernel's programs read it.
func uidOf(pid int) uint32 {
	text, _ := os.ReadFile(procPath(pid, "status"))
	_, rest, _ := bytes.Cut(text, []byte("\nUid:\t"))
	real, _, _ := bytes.Cut(rest, []byte("\t"))
	uid, _ := strconv.ParseUint(string(real), 10, 32)
	return uint32(uid)
}

// Started returns when a process began, in nanoseconds since boot, or 0.
func Started(pid int) uint64 {
	p, _ := programNow(pid)
	return p.start * startTick
}

// NetNS returns the number of a process's network namespace, or 0.
func NetNS(pid int) uint32 {
	link, err := os.Readlink(procPath(pid, "ns/net"))
	if err != nil {
		return 0
	}
	inode, _ := inodeIn(link, "net")
	return uint32(inode)
}

// Listening calls do with the address and the inode of each TCP socket that listens in the
// network namespace of a process.
func Listening(pid int, do func(local netip.AddrPort, inode uint64)) {
	for _, file := range []string{"net/tcp", "net/tcp6"} {
		text, _ := os.ReadFile(procPath(pid, file))
		for line := range bytes.Lines(text) {
			if local, inode, ok := listening(line); ok {
				do(local, inode)
			}
		}
	}
}

// listening reads a line of /proc/net/tcp: proc_pid_net(5).
func listening(line []byte) (local netip.AddrPort, inode uint64, ok bool) {
	const address, state, number = 1, 3, 9
	fields := bytes.Fields(line)
	if len(fields) <= number || string(fields[state]) != "0A" /* TCP_LISTEN */ {
		return local, 0, false
	}
	words, port, _ := bytes.Cut(fields[address], []byte(":"))
	p, err := strconv.ParseUint(string(port), 16, 16)
	if err != nil {
		return local, 0, false
	}
	// Words of 32 bits, each in the order of this machine.
	raw, err := hex.DecodeString(string(words))
	if err != nil {
		return local, 0, false
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		return local, 0, false
	}
	inode, err = strconv.ParseUint(string(fields[number]), 10, 64)
	return netip.AddrPortFrom(addr, uint16(p)), inode, err == nil
}
