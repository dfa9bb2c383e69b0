package record

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/closetrace/closetrace/internal/safefile"
)

// continued moves what an earlier run left under the name of a recording aside, and returns
// the full files that there are, the oldest first.
func continued(folder safefile.Folder, base string) ([]rotated, error) {
	switch last, err := folder.Look(base); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case last.Mode().IsRegular(): // else it is refused, as without Continue
		if err := folder.Rename(base, rotatedName(folder, base, last.ModTime())); err != nil {
			return nil, err
		}
	}
	names, err := folder.Names()
	if err != nil {
		return nil, err
	}
	stem, ext := rotatedParts(base)
	full := regexp.MustCompile("^" + regexp.QuoteMeta(stem) + `-\d{8}T\d{6}\.\d{6}Z(-\d+)?` + regexp.QuoteMeta(ext) + "$")
	slices.Sort(names)
	var all []rotated
	for _, name := range names {
		if info, err := folder.Look(name); full.MatchString(name) && err == nil && info.Mode().IsRegular() {
			all = append(all, rotated{name: name, size: info.Size()})
		}
	}
	return all, nil
}

var errInUse = errors.New("another closetrace records to this file; stop it first, or choose another file")

// resume checks the options, and takes over what an earlier run left, before the first file
// is made.
func (w *Writer) resume(path string) (err error) {
	if err := w.options.check(); err != nil || !w.options.Continue {
		return err
	}
	if err := checkUnused(path); err != nil {
		return fmt.Errorf("continue recording %s: %w", path, err)
	}
	if w.old, err = continued(w.options.Folder, filepath.Base(path)); err != nil {
		return fmt.Errorf("continue recording: %w", err)
	}
	for _, full := range w.old {
		w.oldSize += full.size
	}
	return nil
}
