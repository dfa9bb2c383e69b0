// Package safefile is the one way in which output files are made. closetrace runs
// as root in folders of other users, who may have put links where it writes.
package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Folder is a directory in which files are made and renamed, by names without a
// slash. One is opened before privileges are dropped, and works afterwards.
type Folder interface {
	// Create makes a file as [Create] does.
	Create(name string, force bool) (*os.File, error)
	// Look returns what a name is, without following links.
	Look(name string) (fs.FileInfo, error)
	Rename(from, to string) error
	Remove(name string) error
	// Names are those of all that is in the folder, unsorted.
	Names() ([]string, error)
	// Sync makes names durable, where the system can do that.
	Sync()
	Close() error
}

// OpenFor opens the folder of a file. If there is none, the error names the file.
func OpenFor(file string) (Folder, error) {
	folder, err := Open(filepath.Dir(file))
	return folder, ForFile(err, file)
}

// ForFile turns the error that a folder is missing into one about the file.
func ForFile(err error, file string) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var number syscall.Errno // its words are what a user knows
	if errors.As(err, &number) {
		err = number
	}
	return &fs.PathError{Op: "open", Path: file, Err: err}
}

// Create makes path for its owner alone (0600). With force a file of that name is
// replaced: it is unlinked, not truncated, so that a hard link made by somebody
// else is not written through. A symbolic link is never followed. Devices and
// pipes are opened as they are, but for another user's pipe. The error of a file that is
// there matches [fs.ErrExist].
func Create(path string, force bool) (*os.File, error) {
	folder, err := OpenFor(path)
	if err != nil {
		return nil, err
	}
	f, err := folder.Create(filepath.Base(path), force)
	return f, errors.Join(err, folder.Close())
}

// create is Create in a folder of this process.
func create(d *directory, name string, force bool) (*os.File, error) {
	path := filepath.Join(d.path, name)
	info, err := d.Look(name)
	switch {
	case err != nil:
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s is a symbolic link: name the file itself, or - for standard output", path)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory", path)
	case !force:
		return nil, fmt.Errorf("%s: %w; --force overwrites it", path, fs.ErrExist)
	case foreign(info):
		return nil, fmt.Errorf("%s is another user's pipe: choose another name", path)
	case !info.Mode().IsRegular():
		return openDevice(d, name, info)
	default:
		if err := d.Remove(name); err != nil {
			return nil, err
		}
	}
	return fresh(d, name)
}

// fresh makes a file that is new: what somebody has put there since it was looked at is not
// opened.
func fresh(d *directory, name string) (*os.File, error) {
	return d.open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
}

// openDevice opens what info was about, and not what has taken its place since: it never
// waits in open(), which another user's pipe would not let return. For a reader of its own
// user's pipe it waits as long as that is there.
func openDevice(d *directory, name string, info fs.FileInfo) (*os.File, error) {
	for {
		f, err := d.open(name, os.O_WRONLY|doNotWait, 0)
		if err == nil {
			if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
				return nil, errors.Join(replaced(d, name), f.Close())
			}
			return f, nil
		}
		if info.Mode()&fs.ModeNamedPipe == 0 || !errors.Is(err, noReader) {
			return nil, err
		}
		if now, err := d.Look(name); err != nil || !os.SameFile(info, now) {
			return nil, replaced(d, name)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func replaced(d *directory, name string) error {
	return fmt.Errorf("%s was replaced meanwhile", filepath.Join(d.path, name))
}

// Whole makes path as [Create] does, and lets write fill it. If that fails nothing is left:
// half of the file is useless. What has taken its place meanwhile stays.
func Whole(path string, force bool, write func(io.Writer) error) error {
	folder, err := OpenFor(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	name := filepath.Base(path)
	f, err := folder.Create(name, force)
	if err != nil {
		return err
	}
	made, err := f.Stat()
	if err == nil {
		err = write(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil || made == nil || !made.Mode().IsRegular() {
		return err
	}
	if now, failed := folder.Look(name); failed == nil && os.SameFile(made, now) {
		err = errors.Join(err, folder.Remove(name))
	}
	return err
}
