package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/closetrace/closetrace/internal/safefile"
)

// file is one open file of a recording, or standard output.
type file struct {
	f       *os.File
	path    string // "" for standard output
	folder  safefile.Folder
	base    string // its name there
	regular bool
	size    int64 // written by this process
	begun   time.Time
	stopped bool // has its stop line
	zstd    *zstd.Encoder
	frame   []byte
	closed  bool
}

// MinSize is the least RotateSize and MaxSize: below, files would hold little
// but their first and last line.
const MinSize = 16 << 10

func create(path string, o *Options) (*file, error) {
	if o.MaxSize > 0 && o.rotates() && (o.RotateSize == 0 || o.RotateSize > o.MaxSize/2) {
		o.RotateSize = o.MaxSize / 2 // else the current file alone could exceed it
	}
	f := &file{f: os.Stdout, begun: time.Now()}
	if path != "-" {
		f.path, f.folder, f.base = path, o.Folder, filepath.Base(path)
		var err error
		if f.f, err = o.Folder.Create(f.base, o.Force); err != nil {
			return nil, fmt.Errorf("create recording: %w", err)
		}
	}
	info, err := f.f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create recording: %w", err), f.close())
	}
	if f.regular = info.Mode().IsRegular(); f.regular && f.path != "" {
		_ = lock(f.f) // it is new: nobody has locked it
	}
	if o.Compress || strings.HasSuffix(path, ".zst") {
		f.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(frameBatch),
			zstd.WithEncoderLevel(zstd.SpeedFastest)) // of such lines it makes less than the default does, 36 bytes to 41
	}
	return f, err
}

func (o *Options) check() error {
	for _, size := range []int64{o.MaxSize, o.RotateSize} {
		if size != 0 && size < MinSize {
			return fmt.Errorf("size %d of a recording: want at least %d", size, MinSize)
		}
	}
	return nil
}

func (o *Options) rotates() bool { return o.RotateSize > 0 || o.RotateAge > 0 }

func (f *file) name() string {
	if f.path == "" {
		return "to standard output"
	}
	return f.path
}

func (f *file) batchSize() int {
	if f.zstd != nil {
		return frameBatch
	}
	return plainBatch
}

// write appends whole lines and returns how many bytes of them are in the
// file: on an error, those of the whole lines that it could keep.
func (f *file) write(lines []byte) (int, error) {
	data := lines
	if f.zstd != nil {
		f.frame = f.zstd.EncodeAll(lines, f.frame[:0])
		data = f.frame
	}
	n, err := f.f.Write(data)
	if err == nil {
		f.size += int64(n)
		return len(lines), nil
	}
	kept := 0 // nothing in a cut frame can be relied on
	if f.zstd == nil {
		kept = bytes.LastIndexByte(data[:n], '\n') + 1
	}
	f.size += int64(n)
	if f.regular && f.cut(int64(n-kept)) {
		f.size -= int64(n - kept)
	}
	return kept, err
}

// truncated reports whether the file holds less than was written to it, and how much it
// holds.
func (f *file) truncated() (held int64, short bool) {
	if !f.regular {
		return 0, false
	}
	info, err := f.f.Stat()
	if err != nil {
		return 0, false // writing says why
	}
	return info.Size(), info.Size() < f.size
}

// cut removes the last n bytes, unless another process has written after them.
func (f *file) cut(n int64) bool {
	info, err := f.f.Stat()
	if err != nil || n == 0 {
		return n == 0
	}
	at, err := f.f.Seek(0, io.SeekCurrent)
	if err != nil || at != info.Size() {
		return false
	}
	if f.f.Truncate(at-n) != nil {
		return false
	}
	_, err = f.f.Seek(at-n, io.SeekStart)
	return err == nil
}

// close makes the file durable and closes it. Standard output stays open.
func (f *file) close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	var err error
	if f.regular {
		err = f.f.Sync()
	}
	if f.path == "" {
		return err
	}
	if err = errors.Join(err, f.f.Close()); err != nil {
		return fmt.Errorf("close recording: %w", err)
	}
	return nil
}

// syncFolder makes the file's name durable.
func (f *file) syncFolder() {
	if f.regular && f.path != "" {
		f.folder.Sync()
	}
}

// explain adds to an error what to do about it.
func explain(err error) error {
	switch {
	case isDiskFull(err):
		return fmt.Errorf("%w: free some space or write to another disk; record --max-size bounds a recording", err)
	case isBrokenPipe(err):
		return fmt.Errorf("the program that read the output has ended: %w", err)
	default:
		return err
	}
}
