package main

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

// file is something to replay: a recording, a trace of Windows, or a packet capture.
type file interface {
	records(context.Context) iter.Seq2[model.Record, error]
	// tell says what could not be read.
	tell(io.Writer)
	Close() error
}

// openFile opens a file by what is in it. o is for captures.
func openFile(path string, o wire.Options) (file, error) {
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
func openStream(path string, o wire.Options) (file, error) {
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

func (f *recording) records(context.Context) iter.Seq2[model.Record, error] { return f.Records() }

func (f *recording) tell(out io.Writer) {
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

func (f *etlFile) records(ctx context.Context) iter.Seq2[model.Record, error] {
	return sourceRecords(ctx, f.File, f.End, f.lacks)
}

// lacks says that the trace can't tell of any connection, and how to take one.
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

func (f *etlFile) tell(out io.Writer) {
	name := safetext.Escape(f.path)
	if f.End() == 0 {
		fmt.Fprintf(out, "closetrace: %s: the trace was not closed: how many events it lacks is not known, and no verdict is certain; stop the next one by logman stop\n", name)
	}
	tellUndecoded(out, name, f.File)
}

// tellUndecoded names the kinds of events that are not as documented.
func tellUndecoded(out io.Writer, name string, source interface{ Stats() etwsrc.Stats }) {
	for _, u := range source.Stats().Undecoded {
		fmt.Fprintf(out, "closetrace: %s: %v\n", name, u)
	}
}
