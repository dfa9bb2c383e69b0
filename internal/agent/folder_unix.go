//go:build unix

package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

var errSpool = errors.New("the spool must be a directory that nobody else can write to, in one that nobody else can exchange")

// MakeSpool makes the directory, unless it is there, for this user alone; owner is who the
// agent becomes. Another user must not be able to put links into it, nor another directory
// in its place: what is written there would go through them.
func MakeSpool(path string, owner int) error {
	if err := makeSpool(path, owner); err != nil {
		return fmt.Errorf("make the spool: %w", err)
	}
	return nil
}

func makeSpool(path string, owner int) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := safeWay(path, owner); err != nil {
		return err
	}
	if err := safeTarget(path, owner); err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: %w", path, errSpool)
	}
	return safeTarget(path, owner)
}

// safeTarget looks at where the links in a path lead to, as far as it is there.
func safeTarget(path string, owner int) error {
	for {
		target, err := filepath.EvalSymlinks(path)
		if err == nil {
			return safeWay(target, owner)
		}
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return err
		}
		path = filepath.Dir(path)
	}
}

// safeWay looks at a path and all folders above it, as far as they are there.
func safeWay(path string, owner int) error {
	for ; ; path = filepath.Dir(path) {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !safe(info, owner) && !closeVolume(path, info):
			return fmt.Errorf("%s: %w", path, errSpool)
		}
		if path == filepath.Dir(path) {
			return nil
		}
	}
}

// safe reports whether only root, this user and who the agent becomes can change what is in
// a folder. In one with the sticky bit, as /tmp, everybody makes files and nobody renames
// those of others.
func safe(info fs.FileInfo, owner int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() && int(stat.Uid) != owner {
		return false
	}
	return info.Mode()&fs.ModeSymlink != 0 || info.Mode().Perm()&0o022 == 0 || info.Mode()&fs.ModeSticky != 0
}

// closeVolume sets the sticky bit of a volume that is this user's and that everybody may
// write to, as an emptyDir of Kubernetes is. Other folders stay as they are.
func closeVolume(path string, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		return false
	}
	above, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return false
	}
	other, ok := above.Sys().(*syscall.Stat_t)
	return ok && other.Dev != stat.Dev && os.Chmod(path, info.Mode()|fs.ModeSticky) == nil
}
