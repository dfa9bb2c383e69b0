package safefile

import (
	"io/fs"
	"os"
	"path/filepath"
)

// directory is a folder by its path. Package os keeps names such as NUL out of an
// [os.Root], and they may be written to.
type directory struct{ path string }

var _ Folder = (*directory)(nil)

// Open returns a folder.
func Open(path string) (Folder, error) { return &directory{path}, nil }

func (d *directory) open(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(filepath.Join(d.path, name), flag, mode)
}

// Create implements [Folder].
func (d *directory) Create(name string, force bool) (*os.File, error) { return create(d, name, force) }

// Look implements [Folder].
func (d *directory) Look(name string) (fs.FileInfo, error) {
	return os.Lstat(filepath.Join(d.path, name))
}

// Rename implements [Folder].
func (d *directory) Rename(from, to string) error {
	return os.Rename(filepath.Join(d.path, from), filepath.Join(d.path, to))
}

// Remove implements [Folder].
func (d *directory) Remove(name string) error { return os.Remove(filepath.Join(d.path, name)) }

// Names implements [Folder].
func (d *directory) Names() ([]string, error) {
	f, err := os.Open(d.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Sync implements [Folder]: Windows has nothing of the kind.
func (d *directory) Sync() {}

// Close implements [Folder].
func (d *directory) Close() error { return nil }
