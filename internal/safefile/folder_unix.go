//go:build unix

package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// directory is a folder by its descriptor: it works also when the way to it is
// closed to the user that this process has become.
type directory struct {
	path string // for messages
	root *os.Root
}

var _ Folder = (*directory)(nil)

// Open opens a folder of this process.
func Open(path string) (Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &directory{path, root}, nil
}

// Descriptor opens a folder of this process once more, to hand it to another process.
func Descriptor(folder Folder) (*os.File, error) {
	d, ok := folder.(*directory)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return d.root.Open(".")
}

// Inherited opens a folder that this process got as a descriptor, whatever has taken its
// place since. Messages call it path. Linux.
func Inherited(descriptor int, path string) (Folder, error) {
	root, err := os.OpenRoot("/proc/self/fd/" + strconv.Itoa(descriptor))
	if err != nil {
		return nil, err
	}
	return &directory{path, root}, nil
}

// named puts the whole path into an error.
func (d *directory) named(name string, err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		return &fs.PathError{Op: inner.Op, Path: filepath.Join(d.path, name), Err: inner.Err}
	}
	return err
}

func (d *directory) open(name string, flag int, mode fs.FileMode) (*os.File, error) {
	f, err := d.root.OpenFile(name, flag, mode)
	return f, d.named(name, err)
}

// Create implements [Folder].
func (d *directory) Create(name string, force bool) (*os.File, error) { return create(d, name, force) }

// Look implements [Folder].
func (d *directory) Look(name string) (fs.FileInfo, error) {
	info, err := d.root.Lstat(name)
	return info, d.named(name, err)
}

// Rename implements [Folder].
func (d *directory) Rename(from, to string) error { return d.named(from, d.root.Rename(from, to)) }

// Remove implements [Folder].
func (d *directory) Remove(name string) error { return d.named(name, d.root.Remove(name)) }

// Names implements [Folder].
func (d *directory) Names() ([]string, error) {
	f, err := d.open(".", os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Sync implements [Folder].
func (d *directory) Sync() {
	if f, err := d.root.Open("."); err == nil {
		_ = f.Sync() // not every file system has it
		_ = f.Close()
	}
}

// Close implements [Folder].
func (d *directory) Close() error { return d.root.Close() }
