package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"sync/atomic"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// Opener opens what is read next, of which span is chosen. It is called once.
type Opener func(span Span) (*File, error)

// OpenAll looks at the files of one call, and returns what is to be opened one after the
// other: each file, but packet captures together, in the place of the first of them.
// Regular files are closed until their turn.
func OpenAll(paths []string, o OpenOptions) ([]Opener, error) {
	var all []Opener
	t := &together{}
	for _, path := range paths {
		f, err := open(path, &o)
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		switch read, capture := captureOf(f); {
		case capture != nil:
			if len(t.names) == 0 {
				all = append(all, func(span Span) (*File, error) { return t.open(o, span), nil })
			}
			t.add(read, capture, &o)
			if read.in.file != nil {
				_ = f.Close()
			}
		case isPipe(path):
			all = append(all, func(span Span) (*File, error) {
				return &File{opened: f, path: path, version: o.Version, span: span}, nil
			})
		default:
			_ = f.Close()
			all = append(all, func(span Span) (*File, error) { o := o; o.Span = span; return Open(path, o) })
		}
	}
	return all, nil
}

// isPipe: a file that can't be opened again.
func isPipe(path string) bool {
	info, err := os.Stat(path)
	return path == "-" || err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// captureOf returns the packet capture that f is, nil if it is none.
func captureOf(f opened) (*judgedFile, *wire.File) {
	if read, ok := f.(*judgedFile); ok {
		if capture, ok := read.fileSource.(*wire.File); ok {
			return read, capture
		}
	}
	return nil, nil
}

// together are the captures of one call.
type together struct {
	*wire.File
	names []string
	empty []string
	parts []wire.Part
	pipes []*judgedFile
	read  atomic.Int64
	size  int64
}

// add takes a capture, which is open.
func (t *together) add(f *judgedFile, capture *wire.File, o *OpenOptions) {
	t.names = append(t.names, f.in.path)
	if capture.Empty() {
		t.empty = append(t.empty, f.in.path)
	}
	part := wire.Part{Name: f.in.name, Begin: capture.Start().Time}
	if f.in.file == nil {
		t.pipes = append(t.pipes, f)
		part.Open = func() (*wire.File, func() error, error) { return capture, f.in.close, nil }
	} else {
		t.size += f.in.size
		part.Open = func() (*wire.File, func() error, error) { return t.again(f.in.path, o) }
	}
	t.parts = append(t.parts, part)
}

// again opens a regular file whose turn has come.
func (t *together) again(path string, o *OpenOptions) (*wire.File, func() error, error) {
	in, err := newInput(path)
	if err != nil {
		return nil, nil, err
	}
	if in.stream == nil {
		return nil, nil, fmt.Errorf("%s is no longer there", path)
	}
	in.read = &t.read
	f, _, err := wire.Open(in.stream, in.name, o.Capture)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", in.name, err), in.close())
	}
	return f, in.close, nil
}

func (t *together) open(o OpenOptions, span Span) *File {
	t.File = wire.Together(t.parts, o.Capture)
	return &File{opened: t, path: t.name(), version: o.Version, span: span}
}

// name is for messages.
func (t *together) name() string {
	switch n := len(t.names); n {
	case 1:
		return t.names[0]
	case 2:
		return t.names[0] + " and " + t.names[1]
	default:
		return fmt.Sprintf("%s and %d more", t.names[0], n-1)
	}
}

func (t *together) records(ctx context.Context, version string) iter.Seq2[model.Record, error] {
	return judged(ctx, t.File, version, t.End, func() error { return nil })
}

func (t *together) Report(out io.Writer) {
	for _, name := range t.empty {
		fmt.Fprintf(out, "closetrace: %s: the capture has no packets\n", safetext.Escape(name))
	}
	if len(t.empty) == len(t.names) {
		return
	}
	for _, line := range t.Remarks() {
		fmt.Fprintf(out, "closetrace: %s: %s\n", safetext.Escape(t.name()), line)
	}
}

// Progress returns how many bytes of all files were read and how many they have; 0 if that
// is not known.
func (t *together) Progress() (read, size int64) {
	if len(t.pipes) > 0 {
		return 0, 0
	}
	return t.read.Load(), t.size
}

func (t *together) Close() error {
	var failed error
	if t.File != nil {
		failed = t.File.Close()
	}
	for _, f := range slices.Backward(t.pipes) {
		failed = errors.Join(failed, f.Close())
	}
	return failed
}
