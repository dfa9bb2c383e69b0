package sockets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/procstat"
	"github.com/closetrace/closetrace/model"
)

// processIDs returns the processes that /proc shows.
func processIDs() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func inode(info os.FileInfo) uint32 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint32(st.Ino)
}

// walk looks at the descriptors of all processes, with one reader for each
// CPU, for the sockets that are wanted.
func walk(ctx context.Context, wanted map[uint32]*Conn, opts *Options) ([]Held, error) {
	pids := processIDs()
	workers := min(runtime.GOMAXPROCS(0), 4)
	results := make([]walker, workers)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() {
			w := &results[i]
			w.wanted = wanted
			for at := i; at < len(pids) && ctx.Err() == nil; at += workers {
				w.process(pids[at])
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var held []Held
	denied := 0
	for i := range results {
		held = append(held, results[i].held...)
		denied += results[i].denied
	}
	if denied > 0 {
		opts.skip(fmt.Errorf("look into %d processes of other users (needs CAP_SYS_PTRACE): %w", denied, fs.ErrPermission))
	}
	return held, nil
}

// walker reads the descriptors of processes.
type walker struct {
	wanted  map[uint32]*Conn
	held    []Held
	denied  int
	entries [32 << 10]byte
	link    [64]byte
}

// process adds the wanted sockets of one process. Everything is read through
// one descriptor of its directory, which stays that process's: after its end
// every read fails, whoever has the PID then.
func (w *walker) process(pid int) {
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(dir)
	descriptors, err := unix.Openat(dir, "fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.EACCES) {
			w.denied++
		}
		return
	}
	defer unix.Close(descriptors)
	first := len(w.held)
	w.descriptors(descriptors)
	found := w.held[first:]
	if len(found) == 0 {
		return
	}
	holder, ok := readHolder(dir)
	if !ok {
		w.held = w.held[:first]
		return
	}
	for i := range found {
		h := &found[i]
		h.PID, h.Name, h.Started, h.UID, h.Source = pid, holder.Name, holder.Started, holder.UID, model.OwnerInode
	}
	readLingers(pid, dir, found, w.wanted)
}

// descriptors reads a directory /proc/PID/fd, without allocating: a server
// has tens of thousands of them.
func (w *walker) descriptors(dir int) {
	for {
		n, err := unix.Getdents(dir, w.entries[:])
		if err != nil || n <= 0 {
			return
		}
		for b := w.entries[:n]; len(b) > 19; {
			// struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name
			size := int(uint16(b[16]) | uint16(b[17])<<8)
			if size < 20 || size > len(b) {
				return
			}
			if name := b[19:size]; name[0] >= '0' && name[0] <= '9' {
				w.descriptor(dir, name)
			}
			b = b[size:]
		}
	}
}

// descriptor notes one descriptor, if it is a wanted socket: its link is
// socket:[INODE].
func (w *walker) descriptor(dir int, name []byte) {
	n, _, errno := unix.RawSyscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])),
		uintptr(unsafe.Pointer(&w.link[0])), uintptr(len(w.link)), 0, 0)
	if errno != 0 {
		return
	}
	number, ok := bytes.CutPrefix(w.link[:n], []byte("socket:["))
	if !ok {
		return
	}
	inode := uint32(digits(number))
	if w.wanted[inode] != nil {
		w.held = append(w.held, Held{Inode: inode, Descriptor: int(digits(name))})
	}
}

// digits reads a number up to the first byte that is no digit.
func digits(b []byte) (n uint64) {
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// readHolder reads name, start and real user from /proc/PID/stat and status.
func readHolder(dir int) (Held, bool) {
	text, ok := readAt(dir, "stat")
	if !ok {
		return Held{}, false
	}
	stat, ok := procstat.Parse(text)
	if !ok {
		return Held{}, false
	}
	h := Held{Name: stat.Name, Started: stat.Start * uint64(procstat.Tick)}
	status, ok := readAt(dir, "status")
	if _, after, found := bytes.Cut(status, []byte("\nUid:\t")); ok && found {
		h.UID = uint32(digits(after))
	}
	return h, ok
}

func readAt(dir int, name string) ([]byte, bool) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	var b [4096]byte
	n, err := unix.Read(fd, b[:])
	if err != nil || n <= 0 {
		return nil, false
	}
	return slices.Clone(b[:n]), true
}
