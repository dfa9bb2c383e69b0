package session

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// File is an open recording, trace of Windows or packet capture.
type File struct {
	opened
	path    string
	version string
	span    Span
	chosen  chosenSpan
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
	in, err := open(path, &o)
	if err != nil {
		return nil, err
	}
	return &File{opened: in, path: path, version: o.Version, span: o.Span}, nil
}

// Records yields the records of the span. The sequence is single use; an error comes
// once and last.
func (f *File) Records(ctx context.Context) iter.Seq2[model.Record, error] {
	all := f.records(ctx, f.version)
	if f.span.String() == "" {
		return all
	}
	f.chosen.span = &f.span
	return f.chosen.of(all)
}

// ReportSpan says, after the last record, if nothing of the file is of the span.
func (f *File) ReportSpan(out io.Writer) {
	if text := f.chosen.outside(); text != "" {
		fmt.Fprintf(out, "closetrace: %s: %s\n", safetext.Escape(f.path), text)
	}
}

// Span is the part that is read. Once a record was, its moments have a day: a further file
// of the same recording begins later, perhaps on another one.
func (f *File) Span() Span { return f.span }

// Live reports whether records should be shown as soon as they come.
func (f *File) Live() bool {
	read, ok := f.opened.(*judgedFile)
	return ok && read.in.live
}

// Progress returns how many bytes were read and how many there are, 0 if that is not
// known. Another goroutine may call it.
func (f *File) Progress() (read, size int64) {
	if sized, ok := f.opened.(interface{ Progress() (read, size int64) }); ok {
		return sized.Progress()
	}
	return 0, 0
}

// openRecording takes whatever is of no other kind: its reader says what is wrong with it.
func openRecording(in *input, _ *OpenOptions) (opened, error) {
	if in.stream != nil && in.file == nil {
		return &recording{record.NewReader(stream{in.stream, in.closer}, in.name), in.path}, nil
	}
	if in.file != nil {
		_ = in.file.Close()
	}
	r, err := record.Open(in.path)
	if err != nil {
		return nil, err
	}
	return &recording{r, in.path}, nil
}

// stream is a pipe whose begin was looked at.
type stream struct {
	io.Reader
	io.Closer
}

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
