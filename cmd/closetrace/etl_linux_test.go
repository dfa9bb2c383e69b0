package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

// traceOf writes a trace of a few events, which lasts an hour.
func traceOf(t *testing.T, path string, play func(c *etltest.Conn)) []byte {
	t.Helper()
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	play(&etltest.Conn{Builder: b, TCB: 1, Endpoint: 1, PID: 812, TID: 3000})
	data := b.Trace().Bytes()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return data
}

func reset(c *etltest.Conn) { c.Stack(time.Second, 1184, nil) }

func recordsOf(t *testing.T, path string) (ends int, stop model.Stop, failed error) {
	t.Helper()
	f, err := session.Open(path, session.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r, err := range f.Records(t.Context()) {
		switch {
		case err != nil:
			failed = err
		case r.Kind == model.KindTeardown:
			ends++
		case r.Kind == model.KindStop:
			stop = r.Stop
		}
	}
	return ends, stop, failed
}

// For a trace without connection events the error says how to take one with them.
func TestTracesWithoutOurProvidersSayWhatIsNeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "afd.etl")
	traceOf(t, path, func(c *etltest.Conn) { c.AFD(time.Second, 1032, etltest.Fields{"Reason": 2}) })
	ends, _, err := recordsOf(t, path)
	if ends != 0 || err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%d ends, error %v; want one line", ends, err)
	}
	for _, want := range []string{"only Microsoft-Windows-Winsock-AFD", "logman start", "2F07E2EE-15DB-40F1-90EF-9D7BA282188A", "0x84"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// The stop line has the time at which the session was stopped.
func TestTracesStopWhenTheirSessionDid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.etl")
	traceOf(t, path, reset)
	ends, stop, err := recordsOf(t, path)
	want := model.TimeOf(time.Date(2026, 11, 20, 18, 23, 0, 0, time.UTC))
	if ends != 1 || err != nil || stop.Time != want {
		t.Errorf("%d ends, %v, stopped at %v; want 1 and %v", ends, err, stop.Time.Go(), want.Go())
	}
}

// A trace comes through a FIFO, or standard input, as well.
func TestTracesComeThroughPipes(t *testing.T) {
	dir := t.TempDir()
	data := traceOf(t, filepath.Join(dir, "trace.etl"), reset)
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err == nil {
			io.Copy(w, strings.NewReader(string(data)))
			w.Close()
		}
	}()
	if ends, _, err := recordsOf(t, fifo); ends != 1 || err != nil {
		t.Errorf("FIFO: %d ends, %v; want 1", ends, err)
	}
	stdin := os.Stdin
	defer func() { os.Stdin = stdin }()
	var err error
	if os.Stdin, err = os.Open(filepath.Join(dir, "trace.etl")); err != nil {
		t.Fatal(err)
	}
	if ends, _, err := recordsOf(t, "-"); ends != 1 || err != nil {
		t.Errorf("standard input: %d ends, %v; want 1", ends, err)
	}
	if os.Stdin, err = os.Open("testdata/wine/recording.jsonl"); err != nil {
		t.Fatal(err)
	}
	if ends, _, err := recordsOf(t, "-"); ends != 1 || err != nil {
		t.Errorf("a recording on standard input: %d ends, %v; want 1", ends, err)
	}
}

// A trace that was not closed does not say what it lost. Nothing claims that events were
// lost next to a count of 0.
func TestTracesThatWereNotClosedSayThatLossesAreNotKnown(t *testing.T) {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	reset(&etltest.Conn{Builder: b, TCB: 1, Endpoint: 1, PID: 812, TID: 3000})
	for _, unfinished := range []bool{false, true} {
		trace := b.Trace()
		trace.Unfinished = unfinished
		path := filepath.Join(t.TempDir(), "trace.etl")
		if err := os.WriteFile(path, trace.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := session.Open(path, session.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var reason string
		var lost uint64
		ends := 0
		for r, err := range f.Records(t.Context()) {
			switch {
			case err != nil:
				t.Fatal(err)
			case r.Kind == model.KindTeardown:
				ends, reason = ends+1, r.Teardown.ConfidenceReason
			case r.Kind == model.KindStop:
				lost = r.Stop.Lost
			}
		}
		var told strings.Builder
		f.Report(&told)
		f.Close()
		if ends != 1 || lost != 0 || strings.Contains(reason, "events were lost") ||
			strings.Contains(reason, "the trace was not closed") != unfinished ||
			strings.Contains(told.String(), "how many events it lacks is not known") != unfinished {
			t.Errorf("not closed %v: %d ends, reason %q, %d lost, told %q", unfinished, ends, reason, lost, told.String())
		}
	}
}
