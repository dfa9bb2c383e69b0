package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/closetrace/closetrace/etwsrc"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// openTrace opens a trace of Windows. It is not read in the order of the file: what comes
// through a pipe is copied to a temporary one first.
func openTrace(in *input, _ *OpenOptions) (opened, error) {
	named := strings.HasSuffix(strings.ToLower(in.path), ".etl")
	if !named && !etwsrc.LooksLikeTrace(in.head(etwsrc.HeadSize)) {
		return nil, errOther
	}
	file, size := in.file, in.size
	if file == nil {
		var err error
		if file, size, err = in.copied(); err != nil {
			return nil, err
		}
		_ = in.closer.Close()
	}
	trace, err := etwsrc.NewFile(file, size)
	switch {
	case errors.Is(err, etwsrc.ErrNotATrace) && !named && in.file != nil:
		return nil, errOther
	case err != nil:
		return nil, errors.Join(fmt.Errorf("open %s: %w", in.name, err), file.Close())
	}
	return &etlFile{trace, in.path, file}, nil
}

// copied copies a pipe to a temporary file, which is gone when it is closed.
func (in *input) copied() (file *os.File, size int64, err error) {
	if file, err = os.CreateTemp("", "closetrace-*.etl"); err != nil {
		return nil, 0, fmt.Errorf("copy %s: %w", in.name, err)
	}
	defer os.Remove(file.Name()) // what is open stays
	if size, err = io.Copy(file, in.stream); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("copy %s (TMPDIR chooses where to): %w", in.name, err), file.Close())
	}
	return file, size, nil
}

type etlFile struct {
	*etwsrc.File
	path string
	in   io.Closer
}

func (f *etlFile) Close() error { return errors.Join(f.File.Close(), f.in.Close()) }

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
