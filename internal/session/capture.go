package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync/atomic"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// captureFile is a packet capture.
type captureFile struct {
	*wire.File
	in   *countedFile
	path string
	live bool // from a pipe
}

// openCapture opens a regular file as a capture; the error is [wire.ErrNotACapture] if
// it is none.
func openCapture(path string, size int64, o wire.Options) (opened, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open capture: %w", err)
	}
	in := &countedFile{Reader: f, Closer: f, size: size}
	capture, _, err := wire.Open(in, path, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.Close())
	}
	return &captureFile{capture, in, path, false}, nil
}

// countedFile is a file of which is known how much was read.
type countedFile struct {
	io.Reader
	io.Closer
	size int64
	read atomic.Int64
}

// Read implements [io.Reader].
func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	f.read.Add(int64(n))
	return n, err
}

// Progress returns how many bytes of the file were read and how many it has; 0 if that
// is not known.
func (f *captureFile) Progress() (read, size int64) { return f.in.read.Load(), f.in.size }

func (f *captureFile) Close() error { return errors.Join(f.File.Close(), f.in.Close()) }

func (f *captureFile) records(ctx context.Context, version string) iter.Seq2[model.Record, error] {
	return judged(ctx, f.File, version, f.End, func() error { return nil })
}

func (f *captureFile) Report(out io.Writer) {
	name, stats := safetext.Escape(f.path), f.Stats()
	for _, line := range stats.Skipped() {
		fmt.Fprintf(out, "closetrace: %s: %s\n", name, line)
	}
	switch {
	case stats.Packets == 0:
		fmt.Fprintf(out, "closetrace: %s: the capture has no packets\n", name)
	case stats.Segments() == 0:
		fmt.Fprintf(out, "closetrace: %s: no TCP among %d packets\n", name, stats.Packets)
	case stats.Lost > 0:
		fmt.Fprintf(out, "closetrace: %s: %d connections were given up before they ended: there were too many at a time; see --max-connections\n", name, stats.Lost)
	}
}
