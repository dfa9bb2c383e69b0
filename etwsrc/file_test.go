package etwsrc

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// traceFile writes a trace with all scenarios, a failed close and a loss.
func traceFile(t testing.TB) string {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	for i, s := range scenarios() {
		b.Base = time.Duration(i) * sec
		s.play(connection(b, i))
	}
	c := connection(b, 99)
	c.EnterClose(0)
	c.LeaveClose(ms, 10035)
	tr := b.Trace()
	tr.EventsLost = 1
	path := filepath.Join(t.TempDir(), "trace.etl")
	if err := os.WriteFile(path, tr.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileIsASource(t *testing.T) {
	path := traceFile(t)
	sourcetest.Run(t, sourcetest.Config{Open: func(t *testing.T) model.Source {
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}})
}

func TestFileStartsWithTheTracedSystem(t *testing.T) {
	f, err := OpenFile(traceFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := model.Start{
		Time:    model.TimeOf(time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC)),
		OS:      model.OS{Type: "windows", Version: "10.0.26100"},
		Backend: "etl",
	}
	if got := f.Start(); got != want {
		t.Errorf("start = %+v, want %+v", got, want)
	}
}

func TestOpenFileNamesTheFileThatIsNoTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.txt")
	if err := os.WriteFile(path, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path); !errors.Is(err, ErrNotATrace) || !bytes.Contains([]byte(err.Error()), []byte(path)) {
		t.Errorf("error = %v, want that %s is no trace", err, path)
	}
	if _, err := OpenFile(path + ".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want that the file does not exist", err)
	}
}

// The error comes once and last, after what could be read.
func TestTruncatedTraceEndsWithAnError(t *testing.T) {
	data, err := os.ReadFile(traceFile(t))
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFile(bytes.NewReader(data), int64(len(data)*2/3))
	if err != nil {
		t.Fatal(err)
	}
	ends, failures := 0, 0
	for e, err := range f.Events(t.Context()) {
		switch {
		case err != nil:
			failures++
			if !errors.Is(err, io.ErrUnexpectedEOF) || e != nil {
				t.Errorf("error = %v with event %v, want that the trace ends early", err, e)
			}
		case failures > 0:
			t.Error("an event after the error")
		case e.Kind == model.KindTeardown:
			ends++
		}
	}
	if failures != 1 || ends < 10 {
		t.Errorf("%d errors after %d ends, want 1 after some", failures, ends)
	}
	for _, err := range f.Events(t.Context()) {
		if !errors.Is(err, errRead) {
			t.Errorf("second use: %v, want %v", err, errRead)
		}
	}
}

// FuzzFile: no trace makes the back end panic or name an end without an ID and
// a time.
func FuzzFile(f *testing.F) {
	for i, s := range scenarios() {
		b := etltest.NewBuilder(f, etltest.Releases()[7-i%2*6])
		s.play(connection(b, i))
		tr := b.Trace()
		tr.BufferSize = 1024
		f.Add(tr.Bytes())
	}
	for _, bomb := range etltest.Bombs() {
		f.Add(bomb.Make(f, 20))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := NewFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for e, err := range file.Events(t.Context()) {
			if err != nil {
				return
			}
			e.Judged()
			if e.Kind == model.KindTeardown && e.Teardown.ID == "" {
				t.Fatalf("an end without an ID: %+v", e.Teardown.Facts)
			}
		}
	})
}
