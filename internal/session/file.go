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
	"strings"

	"github.com/closetrace/closetrace/etwsrc"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// OpenOptions say how a file is read. The zero value reads all of it.
type OpenOptions struct {
	// Version is what a trace of Windows or a capture has as the program that wrote it.
	Version string
	// Capture is for packet captures.
	Capture wire.Options
	Span    Span
}

// File is an open recording, trace of Windows or packet capture.
type File struct {
	opened
	version string
	span    Span
}

type opened interface {
	// records yields a start line, judged records and a stop line.
	records(ctx context.Context, version string) iter.Seq2[model.Record, error]
	// Report writes what could not be read, after the last record.
	Report(out io.Writer)
	Close() error
}

// Open opens a file by its content, "-" is standard input.
func Open(path string, o OpenOptions) (*File, error) {
	in, err := open(path, o.Capture)
	if err != nil {
		return nil, err
	}
	return &File{in, o.Version, o.Span}, nil
}

// Records yields the records of the span. The sequence is single use; an error comes
// once and last.
func (f *File) Records(ctx context.Context) iter.Seq2[model.Record, error] {
	all := f.records(ctx, f.version)
	if f.span.String() == "" {
		return all
	}
	return f.span.of(all)
}

// Live reports whether records should be shown as soon as they come.
func (f *File) Live() bool {
	capture, ok := f.opened.(*captureFile)
	return ok && capture.live
}

// Progress returns how many bytes were read and how many there are, 0 if that is not
// known. Another goroutine may call it.
func (f *File) Progress() (read, size int64) {
	if sized, ok := f.opened.(interface{ Progress() (read, size int64) }); ok {
		return sized.Progress()
	}
	return 0, 0
}

// open opens a file by its content. o is for captures.
func open(path string, o wire.Options) (opened, error) {
	info, err := os.Stat(path)
	if path != "-" && err == nil && info.Mode().IsRegular() { // a pipe can be opened once only
		trace, err := etwsrc.OpenFile(path)
		switch {
		case err == nil:
			return &etlFile{trace, path}, nil
		case errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("%w: recordings are for their owner alone; use sudo, or chown it to yourself", err)
		case !errors.Is(err, etwsrc.ErrNotATrace), strings.HasSuffix(strings.ToLower(path), ".etl"):
			return nil, err
		}
		capture, err := openCapture(path, info.Size(), o)
		if !errors.Is(err, wire.ErrNotACapture) {
			return capture, err
		}
	}
	if path == "-" || err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return openStream(path, o)
	}
	r, err := record.Open(path)
	if err != nil {
		return nil, err
	}
	return &recording{r, path}, nil
}

// openStream opens standard input or a pipe. A trace is not read in the order
// of the file: it is copied to a temporary one first.
func openStream(path string, o wire.Options) (opened, error) {
	in, name := os.Stdin, "standard input"
	if path != "-" {
		var err error
		if in, err = os.Open(path); err != nil {
			return nil, fmt.Errorf("open recording: %w", err)
		}
		name = path
	}
	o.Live = true
	capture, rest, err := wire.Open(in, name, o)
	if err == nil {
		return &captureFile{capture, &countedFile{Closer: in}, path, true}, nil
	}
	if !errors.Is(err, wire.ErrNotACapture) {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), in.Close())
	}
	begin := bufio.NewReader(rest)
	head, _ := begin.Peek(etwsrc.HeadSize) // an error comes again
	if !etwsrc.LooksLikeTrace(head) {
		return &recording{record.NewReader(stream{begin, in}, name), path}, nil
	}
	defer in.Close()
	copied, err := os.CreateTemp("", "closetrace-*.etl")
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", name, err)
	}
	defer os.Remove(copied.Name()) // what is open stays
	size, err := io.Copy(copied, begin)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy %s (TMPDIR chooses where to): %w", name, err), copied.Close())
	}
	trace, err := etwsrc.NewFile(copied, size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), copied.Close())
	}
	return &etlStream{etlFile{trace, path}, copied}, nil
}

// stream is a pipe whose begin was looked at.
type stream struct {
	io.Reader
	io.Closer
}

// etlStream is a trace that came through a pipe.
type etlStream struct {
	etlFile
	copied io.Closer
}

func (f *etlStream) Close() error { return errors.Join(f.etlFile.Close(), f.copied.Close()) }

type recording struct {
	*record.Reader
	path string
}

func (f *recording) records(context.Context, string) iter.Seq2[model.Record, error] {
	return f.Records()
}

func (f *recording) Report(out io.Writer) {
	name := safetext.Escape(f.path)
	if s := f.Skipped(); s.Any() {
		fmt.Fprintf(out, "closetrace: %s: %s\n", name, s.String())
		for _, note := range s.First {
			fmt.Fprintf(out, "  %s\n", safetext.Escape(note.String()))
		}
	}
	if !f.Ended() {
		fmt.Fprintf(out, "closetrace: %s: no stop line: the recording was cut, or is still being written\n", name)
	}
}

type etlFile struct {
	*etwsrc.File
	path string
}

func (f *etlFile) records(ctx context.Context, version string) iter.Seq2[model.Record, error] {
	return judged(ctx, f.File, version, f.End, f.lacks)
}

// lacks returns an error if the trace can't show any connection: how to take one.
func (f *etlFile) lacks() error {
	names, err := f.Providers()
	if err == nil {
		return nil
	}
	has := fmt.Sprintf("%d events of other providers", f.Stats().Events)
	if len(names) > 0 {
		has = "only " + strings.Join(names, ", ")
	}
	return fmt.Errorf("%s: %w: it has %s; record Microsoft-Windows-TCPIP: logman start tcp-ends -p %s 0x84 4 -o trace.etl -ets (more in docs/windows.md; wpr and netsh trace can as well)",
		f.path, err, has, `"{2F07E2EE-15DB-40F1-90EF-9D7BA282188A}"`)
}

func (f *etlFile) Report(out io.Writer) {
	name := safetext.Escape(f.path)
	if f.End() == 0 {
		fmt.Fprintf(out, "closetrace: %s: the trace was not closed: how many events it lacks is not known, and no verdict is certain; stop the next one by logman stop\n", name)
	}
	ReportUndecoded(out, name, f.File)
}

// ReportUndecoded writes the kinds of events that are not as documented.
func ReportUndecoded(out io.Writer, name string, source interface{ Stats() etwsrc.Stats }) {
	for _, u := range source.Stats().Undecoded {
		fmt.Fprintf(out, "closetrace: %s: %v\n", name, u)
	}
}
