package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/model"
)

// rotated is a full file of this recording.
type rotated struct {
	name string // in the folder of all
	size int64
}

// Rotate ends the current file with a stop line of reason "rotate", gives it a name with
// the time it began (out.jsonl.zst becomes out-20261120T172300.123456Z.jsonl.zst) and
// begins a new one under the old name. What is not a regular file is only flushed. If
// another program has moved the file meanwhile, its new name stays.
func (w *Writer) Rotate() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	return w.rotate()
}

func (w *Writer) rotateDue() bool {
	o := &w.options
	if !w.file.regular || w.file.path == "" || w.file.stopped {
		return false
	}
	size := w.file.size
	if w.file.zstd == nil {
		size += int64(len(w.batch))
	}
	if size == 0 {
		return false // nothing to keep yet: starting the trace takes a while
	}
	return o.RotateSize > 0 && size >= o.RotateSize || o.RotateAge > 0 && time.Since(w.file.begun) >= o.RotateAge
}

func (w *Writer) rotate() error {
	if !w.file.regular || w.file.path == "" {
		return w.flush()
	}
	now := model.TimeOf(time.Now())
	if err := w.endFile(now); err != nil {
		return err
	}
	if err := w.nextFile(); err != nil {
		return w.fail(fmt.Errorf("rotate recording: %w", explain(err)))
	}
	w.tally.next()
	if w.start == nil {
		return nil
	}
	first := *w.start
	first.Start.Time = now
	return w.add(&first)
}

// endFile writes the stop line and what is pending.
func (w *Writer) endFile(now model.Time) error {
	if err := w.flush(); err != nil || w.start == nil {
		return err
	}
	stop := model.Record{Kind: model.KindStop, Stop: model.Stop{Time: now, Reason: "rotate"}}
	if err := w.add(w.lastLine(&stop)); err != nil {
		return err
	}
	w.file.stopped = true
	return w.flush()
}

// nextFile puts a new file in the place of the current one. Syncing the old one, and the
// names of both, may take seconds; the recording goes on meanwhile.
func (w *Writer) nextFile() error {
	old := w.file
	aside, err := moveAside(old)
	if err != nil {
		return err
	}
	next, err := createNext(old.path, w.options)
	if err != nil {
		return err
	}
	w.file = next
	w.counts.Files++
	if aside != "" {
		w.old = append(w.old, rotated{name: aside, size: old.size})
		w.oldSize += old.size
	}
	w.drop()
	w.retired.Go(func() {
		next.syncFolder()
		if err := old.close(); err != nil {
			select {
			case w.retireErrs <- err:
			default:
			}
		}
	})
	return nil
}

// createNext never replaces a file, even with Force: a file that is there has appeared
// since the full one was moved aside.
func createNext(path string, o Options) (*file, error) {
	o.Force = false
	return create(path, &o)
}

// moveAside renames the full file and returns its new name, or "" if another program has
// moved it.
func moveAside(f *file) (string, error) {
	current, err := f.folder.Look(f.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case !isOpen(f, current):
		return "", fmt.Errorf("another file is in the place of %s", f.path)
	}
	name := rotatedName(f.folder, f.base, f.begun)
	return name, f.folder.Rename(f.base, name)
}

func isOpen(f *file, current fs.FileInfo) bool {
	info, err := f.f.Stat()
	return err == nil && os.SameFile(info, current)
}

// rotatedName returns a name that no file has: the time when the file began,
// so that names sort as the files do.
func rotatedName(folder safefile.Folder, base string, begun time.Time) string {
	stem, ext := rotatedParts(base)
	stem += "-" + begun.UTC().Format(rotatedTime)
	for n := 1; ; n++ {
		candidate := stem
		if n > 1 {
			candidate += "-" + strconv.Itoa(n)
		}
		name := candidate + ext
		if _, err := folder.Look(name); err != nil {
			return name
		}
	}
}

const rotatedTime = "20060102T150405.000000Z"

// rotatedParts is what comes before and after the time in the names of full files.
func rotatedParts(base string) (stem, ext string) {
	stem = strings.TrimSuffix(base, ".zst")
	stem = strings.TrimSuffix(stem, filepath.Ext(stem))
	return stem, base[len(stem):]
}

// drop removes the oldest files until RotateKeep and MaxSize hold.
func (w *Writer) drop() {
	for w.options.RotateKeep > 0 && len(w.old) > w.options.RotateKeep {
		w.dropOldest()
	}
	if w.options.MaxSize > 0 {
		w.dropUntil(w.options.MaxSize - w.options.RotateSize)
	}
}

// dropUntil removes the oldest files until those left take at most size bytes.
func (w *Writer) dropUntil(size int64) {
	for len(w.old) > 0 && w.oldSize > size {
		w.dropOldest()
	}
}

// dropOldest forgets a file even if it can't be removed: it then no longer counts for
// this recording.
func (w *Writer) dropOldest() {
	_ = w.options.Folder.Remove(w.old[0].name)
	w.oldSize -= w.old[0].size
	w.old = w.old[1:]
}
