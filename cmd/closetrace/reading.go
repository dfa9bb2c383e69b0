package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

// What commands that read files have in common.

func oneFile(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s needs one file, or - for standard input; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

// span is what of a file is read, and how.
type span struct {
	session.OpenOptions
	only bool // of this file alone: it is said if nothing of it was read
}

func (s *span) flags(set *pflag.FlagSet) {
	set.Var(&s.Span.Since, "since", "only what ended from this `TIME` on: 17:03, 17:03:05 (of the day on which the recording, the first of several, begins, or of the next if that is more than 12 hours before; local time), '2026-11-20 17:03', or RFC 3339 such as 2026-11-20T17:03:05Z")
	set.Var(&s.Span.Until, "until", "only what ended before this `TIME`; as --since")
	s.Flags(set)
}

// Flags of commands that trace with --live or read files, for one of the two.
var (
	ofTraces = []string{"backend", "btf", "duration", "count", "ring-size", "command-line", "user", "no-sandbox"}
	ofFiles  = []string{"since", "until", "local", "payload"}
)

// fitting refuses a flag that would be ignored: its user counts on it.
func fitting(c *cobra.Command, live bool) error {
	others, what := ofTraces, "for --live, not for recordings"
	if live {
		others, what = ofFiles, "for recordings and captures, not for --live"
	}
	for _, name := range others {
		if c.Flags().Changed(name) {
			return usage("--%s is %s", name, what)
		}
	}
	return nil
}

// whole is s without the choice of a part by time.
func (s *span) whole() *span {
	all := *s
	all.Span = session.Span{}
	return &all
}

// openFile opens the part of a file that s is.
func (s *span) openFile(path string) (*session.File, error) {
	o := s.OpenOptions
	o.Version = version()
	return session.Open(path, o)
}

// eachFile is eachRecord for all files of a call, as one recording: captures are read
// together. What can be read only in part is an error at the end.
func (a *app) eachFile(ctx context.Context, paths []string, part *span, filter *ledger.Passing, add func(*model.Record)) error {
	o := part.OpenOptions
	o.Version = version()
	files, err := session.OpenAll(paths, o)
	if err != nil {
		return err
	}
	part.only = len(files) == 1
	var rest missing
	for _, open := range files {
		in, err := open(part.Span)
		if err == nil {
			err = a.readOpen(ctx, in, part, filter, a.stderr, add)
		}
		if err = rest.but(err); err != nil {
			return err
		}
	}
	return rest.err
}

// eachRecord hands add the records of a part of a file that pass the filter. A time of the
// day gets its day from the first file that part is read of, and keeps it for the others.
func (a *app) eachRecord(ctx context.Context, path string, part *span, filter *ledger.Passing, add func(*model.Record)) error {
	return a.read(ctx, path, part, filter, a.stderr, add)
}

// read is eachRecord; what could not be read is written to warn.
func (a *app) read(ctx context.Context, path string, part *span, filter *ledger.Passing, warn io.Writer, add func(*model.Record)) error {
	in, err := part.openFile(path)
	if err != nil {
		return err
	}
	return a.readOpen(ctx, in, part, filter, warn, add)
}

func (a *app) readOpen(ctx context.Context, in *session.File, part *span, filter *ledger.Passing, warn io.Writer, add func(*model.Record)) error {
	defer in.Close()
	done := a.progress(in.Progress)
	defer done()
	if err := session.Each(in.Records(ctx), filter, func(r *model.Record) error { add(r); return nil }); err != nil {
		return err
	}
	part.Span = in.Span()
	done()
	in.Report(warn)
	if part.only {
		in.ReportSpan(warn)
	}
	return nil
}

// missing is what is missing of files that could be read in part, as captures whose writer
// was killed: what was read is shown, and the error comes last.
type missing struct{ err error }

// but takes over an error that leaves something to show, and returns any other.
func (m *missing) but(err error) error {
	var part *session.PartError
	if errors.As(err, &part) {
		m.err = errors.Join(m.err, err)
		return nil
	}
	return err
}
