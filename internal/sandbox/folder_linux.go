package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/safefile"
)

// Folder opens a folder for output files, which can be made in it after Enter too:
// through its descriptor if the user may write there, else by a helper.
func (b *Box) Folder(path string) (safefile.Folder, error) {
	local, err := safefile.Open(path)
	switch {
	case err != nil, b.options.Off, os.Geteuid() != 0, b.who.UID == 0:
		b.folders = append(b.folders, path)
		return local, err
	case b.given && mayWrite(path, b.who):
		b.folders = append(b.folders, path)
		return owned{local, b}, nil
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("find folder %s: %w", path, err), local.Close())
	}
	// As a descriptor: something else may take the folder's place before the helper opens it.
	descriptor, err := safefile.Descriptor(local)
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	defer descriptor.Close()
	h, err := b.start("files", []*os.File{descriptor}, path)
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	return &remote{Folder: local, box: b, helper: h, path: path}, nil
}

// mayWrite reports what the mode of a folder says.
func mayWrite(path string, who Identity) bool {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return false
	}
	const writeAndSearch = 0o3
	switch {
	case st.Uid == uint32(who.UID):
		return st.Mode>>6&writeAndSearch == writeAndSearch
	case st.Gid == uint32(who.GID):
		return st.Mode>>3&writeAndSearch == writeAndSearch
	default:
		return st.Mode&writeAndSearch == writeAndSearch
	}
}

// owned gives the files that root makes in a user's folder to the user.
type owned struct {
	safefile.Folder
	box *Box
}

// Create implements [safefile.Folder].
func (o owned) Create(name string, force bool) (*os.File, error) {
	f, err := o.Folder.Create(name, force)
	if err != nil || o.box.entered {
		return f, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if err := f.Chown(o.box.who.UID, o.box.who.GID); err != nil {
			return nil, errors.Join(err, f.Close(), o.Remove(name))
		}
	}
	return f, nil
}

// remote is a folder that the user may not write. After Enter a helper does it, which
// is root without capabilities.
type remote struct {
	safefile.Folder // until Enter
	box             *Box
	helper          *helper
	path            string
	given           string // what was made before Enter, and is rotated after it
}

var _ safefile.Folder = (*remote)(nil)

// ask adds to an error what to do about it.
func (r *remote) ask(q question) (*os.File, error) {
	_, f, err := r.helper.ask(q)
	if errors.Is(err, fs.ErrPermission) {
		owner := "not root's"
		if r.box.given {
			owner = "neither root's nor " + r.box.who.Name + "'s"
		}
		err = fmt.Errorf("%w: %s is %s; --user chooses who writes there", err, r.path, owner)
	}
	return f, err
}

// Create implements [safefile.Folder].
func (r *remote) Create(name string, force bool) (*os.File, error) {
	if !r.box.entered {
		r.given = name
		return r.Folder.Create(name, force)
	}
	if strings.HasPrefix(name, ".") && name != r.given {
		return nil, fmt.Errorf("%s: hidden files are not made once privileges are dropped: %w", name, fs.ErrPermission)
	}
	f, err := r.ask(question{Op: "create", Name: name, Force: force})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Look implements [safefile.Folder].
func (r *remote) Look(name string) (fs.FileInfo, error) {
	if !r.box.entered {
		return r.Folder.Look(name)
	}
	f, err := r.ask(question{Op: "look", Name: name})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

// Rename implements [safefile.Folder].
func (r *remote) Rename(from, to string) error {
	if !r.box.entered {
		return r.Folder.Rename(from, to)
	}
	_, err := r.ask(question{Op: "rename", Name: from, To: to})
	return err
}

// Remove implements [safefile.Folder].
func (r *remote) Remove(name string) error {
	if !r.box.entered {
		return r.Folder.Remove(name)
	}
	_, err := r.ask(question{Op: "remove", Name: name})
	return err
}

// Sync implements [safefile.Folder].
func (r *remote) Sync() {
	if !r.box.entered {
		r.Folder.Sync()
		return
	}
	_, _ = r.ask(question{Op: "sync"})
}
