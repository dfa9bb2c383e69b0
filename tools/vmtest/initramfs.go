package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// archive writes a cpio archive in the "newc" format, the one that the kernel
// unpacks as its first root file system
// (Documentation/driver-api/early-userspace/buffer-format.rst).
//
// The first error sticks and is returned by close.
type archive struct {
	w    io.Writer
	ino  int
	seen map[string]bool
	err  error
}

func newArchive(w io.Writer) *archive {
	return &archive{w: w, seen: map[string]bool{}}
}

// File types of the mode field, as in stat(2).
const (
	cpioDir  = 0o040000
	cpioFile = 0o100000
)

// file adds a regular file and the folders above it. A second file of the same
// name is ignored: the kernel would append it to the first one.
func (a *archive) file(name string, perm fs.FileMode, data []byte) {
	name = clean(name)
	if a.seen[name] {
		return
	}
	a.dir(path.Dir(name))
	a.entry(name, cpioFile|uint32(perm.Perm()), data)
}

// dir adds a folder and those above it, once.
func (a *archive) dir(name string) { a.dirMode(name, 0o755) }

// dirMode is dir with permission bits, the sticky bit among them.
func (a *archive) dirMode(name string, mode uint32) {
	name = clean(name)
	if name == "." || a.seen[name] {
		return
	}
	a.dir(path.Dir(name))
	a.entry(name, cpioDir|mode, nil)
}

// tree adds a file or a whole folder of the host under the given guest name.
// Symbolic links are followed, so that the guest needs nothing outside.
func (a *archive) tree(host, guest string) error {
	info, err := os.Stat(host)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		data, err := os.ReadFile(host)
		if err != nil {
			return err
		}
		a.file(guest, info.Mode(), data)
		return a.err
	}
	a.dir(guest)
	entries, err := os.ReadDir(host)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := a.tree(filepath.Join(host, e.Name()), path.Join(guest, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// close ends the archive.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	return a.err
}

func (a *archive) entry(name string, mode uint32, data []byte) {
	if a.err != nil {
		return
	}
	a.seen[name] = true
	a.ino++
	// magic, ino, mode, uid, gid, nlink, mtime, size, dev x2, rdev x2,
	// length of the name with its NUL, checksum (unused).
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	a.padded(append([]byte(header+name), 0))
	a.padded(data)
}

// padded writes b and fills up to a multiple of four bytes.
func (a *archive) padded(b []byte) {
	for _, part := range [][]byte{b, make([]byte, (4-len(b)%4)%4)} {
		if a.err == nil {
			_, a.err = a.w.Write(part)
		}
	}
}

// clean turns an absolute guest path into the relative one of an archive; the
// root is ".".
func clean(name string) string {
	return path.Clean(strings.TrimLeft(path.Clean("/"+name), "/"))
}
