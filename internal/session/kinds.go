package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sync/atomic"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// OpenOptions say how a file is read. The zero value reads all of it.
type OpenOptions struct {
	// Version is what a file of another program has as the program that wrote it.
	Version string
	Span    Span
	// Capture is for packet captures.
	Capture wire.Options

	flags *pflag.FlagSet
}

// kind is a kind of file that can be read.
type kind struct {
	// open opens a file of this kind. The error is errOther if it is of another one, and
	// nothing of in.stream is lost.
	open func(in *input, o *OpenOptions) (opened, error)
	// flags adds the flags that say how such files are read, and set takes over what
	// they have when a file is opened; nil: there are none.
	flags func(flags *pflag.FlagSet, o *OpenOptions)
	set   func(flags *pflag.FlagSet, o *OpenOptions) error
}

// kinds are tried in this order.
var kinds = []kind{
	{open: openTrace},
	{open: openCapture, flags: captureFlags, set: setCapture},
	{open: openRecording},
}

var errOther = errors.New("a file of another kind")

// Flags adds the flags of all kinds of files.
func (o *OpenOptions) Flags(flags *pflag.FlagSet) {
	o.flags = flags
	for _, k := range kinds {
		if k.flags != nil {
			k.flags(flags, o)
		}
	}
}

// open opens a file by its content.
func open(path string, o *OpenOptions) (opened, error) {
	for _, k := range kinds {
		if k.set != nil && o.flags != nil {
			if err := k.set(o.flags, o); err != nil {
				return nil, err
			}
		}
	}
	in, err := newInput(path)
	if err != nil {
		return nil, err
	}
	if in.stream == nil {
		return openRecording(in, o)
	}
	for _, k := range kinds {
		f, err := k.open(in, o)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, errOther) {
			return nil, errors.Join(err, in.close())
		}
	}
	return nil, errors.Join(errOther, in.close())
}

// input is a file of which is not known what it is.
type input struct {
	path, name string // name is for messages
	// file is a regular file of size bytes, nil if it is a pipe or standard input, which
	// is live.
	file *os.File
	size int64
	live bool
	// stream reads it from its begin on; nil if it is no file to be read.
	stream io.Reader
	closer io.Closer
	read   *atomic.Int64 // of file
}

func newInput(path string) (*input, error) {
	in := &input{path: path, name: path, live: true, read: new(atomic.Int64)}
	if path == "-" {
		in.name = "standard input"
		in.pipe(os.Stdin)
		return in, nil
	}
	info, err := os.Stat(path)
	regular := err == nil && info.Mode().IsRegular()
	if err != nil || !regular && info.Mode()&fs.ModeNamedPipe == 0 {
		return in, nil
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: recordings are for their owner alone; use sudo, or chown it to yourself", err)
	case err != nil:
		return nil, err
	}
	if regular {
		in.file, in.closer, in.size, in.live, in.stream = f, f, info.Size(), false, counted{f, in}
	} else {
		in.pipe(f)
	}
	return in, nil
}

// pipe reads f, which may stay open.
func (in *input) pipe(f *os.File) {
	p := newInterruptible(f)
	in.stream, in.closer = bufio.NewReader(p), p
}

func (in *input) close() error {
	if in.closer == nil {
		return nil
	}
	if err := in.closer.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// head returns the first n bytes, or fewer.
func (in *input) head(n int) []byte {
	if in.file == nil {
		b, ok := in.stream.(*bufio.Reader)
		if !ok {
			b = bufio.NewReaderSize(in.stream, n)
			in.stream = b
		}
		head, _ := b.Peek(n) // an error comes again
		return head
	}
	head := make([]byte, n)
	n, _ = in.file.ReadAt(head, 0)
	return head[:n]
}

// counted is a file of which is known how much was read.
type counted struct {
	io.Reader
	in *input
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.in.read.Add(int64(n))
	return n, err
}

// judgedFile is a file that is read as a source, in its order.
type judgedFile struct {
	fileSource
	in *input
}

// fileSource is a source of what a file has.
type fileSource interface {
	model.Source
	// End is the time of the last that was read.
	End() model.Time
	// Remarks are what there is to say of the file after the last event, a line each.
	Remarks() []string
}

func (f *judgedFile) records(ctx context.Context, version string) iter.Seq2[model.Record, error] {
	return judged(ctx, f.fileSource, version, f.End, func() error { return nil })
}

func (f *judgedFile) Report(out io.Writer) {
	name := safetext.Escape(f.in.path)
	for _, line := range f.Remarks() {
		fmt.Fprintf(out, "closetrace: %s: %s\n", name, line)
	}
}

// Progress returns how many bytes of the file were read and how many it has; 0 if that
// is not known.
func (f *judgedFile) Progress() (read, size int64) { return f.in.read.Load(), f.in.size }

func (f *judgedFile) Close() error { return errors.Join(f.fileSource.Close(), f.in.close()) }
