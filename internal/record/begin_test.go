package record

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestDiscard: a recording that could not begin leaves no file, and never takes away one that has a
// line or is another's.
func TestDiscard(t *testing.T) {
	for what, c := range map[string]struct {
		before func(*Writer, string) error
		left   bool
	}{
		"nothing was written": {func(*Writer, string) error { return nil }, false},
		"a line was written":  {func(w *Writer, _ string) error { r := sample(); return errors.Join(w.Write(&r), w.Flush()) }, true},
		"another file is there": {func(_ *Writer, path string) error {
			return errors.Join(os.Rename(path, path+".away"), os.WriteFile(path, nil, 0o600))
		}, true},
	} {
		path := filepath.Join(t.TempDir(), "out.jsonl")
		w, err := Create(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.before(w, path); err != nil {
			t.Skipf("%s: %v", what, err) // a file in use cannot be renamed everywhere
		}
		if err := w.Discard(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) == c.left {
			t.Errorf("%s: %v", what, err)
		}
		if err := w.Discard(); err != nil {
			t.Errorf("%s, once more: %v", what, err)
		}
	}
}

// TestFirstAndLastLine: each file begins with the first start record, and its stop line has what
// the trace has cost until then.
func TestFirstAndLastLine(t *testing.T) {
	folder := t.TempDir()
	cost := uint64(0)
	w, err := Create(filepath.Join(folder, "out.jsonl"), Options{Cost: func() model.Cost { cost++; return model.Cost{Maps: cost} }})
	if err != nil {
		t.Fatal(err)
	}
	for _, backend := range []string{"first", "second"} {
		if err := w.Write(&model.Record{Kind: model.KindStart, Start: model.Start{Backend: backend, Time: 1e18}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Rotate(), w.Write(&model.Record{Kind: model.KindStop, Stop: model.Stop{Reason: "signal"}}), w.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil || len(names) != 2 {
		t.Fatalf("got %v, %v, want two files", names, err)
	}
	for i, name := range names { // the full one's begins with out-
		r, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		first := ""
		var stop model.Stop
		for line, err := range r.Records() {
			if err != nil {
				t.Error(err)
			}
			if first == "" {
				first = line.Start.Backend
			}
			stop = line.Stop
		}
		r.Close()
		if want := []string{"rotate", "signal"}[i]; first != "first" || stop.Reason != want || stop.Cost.Maps != uint64(i+1) {
			t.Errorf("%s begins with %q and ends with %+v", name, first, stop)
		}
	}
}

// TestSizesOfFiles: what is too small is refused, and a bound of all leaves room for two files.
func TestSizesOfFiles(t *testing.T) {
	for _, c := range []struct {
		o      Options
		ok     bool
		rotate int64
		packed bool
	}{
		{Options{}, true, 0, false},
		{Options{MaxSize: MinSize}, true, 0, false},
		{Options{MaxSize: MinSize - 1}, false, 0, false},
		{Options{RotateSize: MinSize - 1}, false, 0, false},
		{Options{RotateSize: MinSize}, true, MinSize, false},
		{Options{MaxSize: 4 * MinSize, RotateSize: MinSize}, true, MinSize, false},
		{Options{MaxSize: 4 * MinSize, RotateSize: 2 * MinSize}, true, 2 * MinSize, false},
		{Options{MaxSize: 4 * MinSize, RotateSize: 2*MinSize + 1}, true, 2 * MinSize, false},
		{Options{MaxSize: 4 * MinSize, RotateAge: time.Hour}, true, 2 * MinSize, false},
		{Options{RotateAge: time.Hour}, true, 0, false},
		{Options{Compress: true}, true, 0, true},
	} {
		w, err := Create(filepath.Join(t.TempDir(), "out.jsonl"), c.o)
		if (err == nil) != c.ok {
			t.Errorf("%+v: got %v", c.o, err)
		}
		if err != nil {
			continue
		}
		if w.options.RotateSize != c.rotate || (w.file.zstd != nil) != c.packed || w.file.batchSize() != map[bool]int{false: plainBatch, true: frameBatch}[c.packed] {
			t.Errorf("%+v: rotated at %d, packed %v", c.o, w.options.RotateSize, w.file.zstd != nil)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	w, err := Create(filepath.Join(t.TempDir(), "out.jsonl.zst"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w.file.zstd == nil {
		t.Error("a name that ends in .zst is not compressed")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestSkippedInWords(t *testing.T) {
	for want, s := range map[string]Skipped{
		"skipped nothing": {},
		"skipped 1 line (7 bytes) that can't be read":                                           {Lines: 1, Bytes: 7},
		"skipped 2 lines (7 bytes) that can't be read, 1 line of an unknown kind":               {Lines: 2, Bytes: 7, Kinds: 1},
		"skipped 2 lines of unknown kinds, 1 damaged zstd frame":                                {Kinds: 2, Frames: 1},
		"skipped 2 damaged zstd frames, 1 line with a name of a newer version, read as unknown": {Frames: 2, Names: 1},
		"skipped 2 lines with names of a newer version, read as unknown":                        {Names: 2},
	} {
		if got := s.String(); got != want || s.Any() == (want == "skipped nothing") {
			t.Errorf("got %q, any %v, want %q", got, s.Any(), want)
		}
	}
	var s Skipped
	for i := range 2 * maxNotes {
		s.note(int64(i), 5, "reason %d", i)
	}
	if len(s.First) != maxNotes || s.First[0].String() != "byte 5 of the file: reason 0" || s.First[1].String() != "line 1, byte 5: reason 1" {
		t.Errorf("got %d notes, %v", len(s.First), s.First[:2])
	}
}

// TestRejudgeWhatIsTakenBack: an outcome that takes its teardown back, or does not, as it should not have, has changed.
func TestRejudgeWhatIsTakenBack(t *testing.T) {
	drained := model.Facts{
		Linger:   model.Linger{On: model.Some(true), Seconds: model.Some(1)},
		Evidence: model.Evidence{Later: true, Wait: model.LingerWait{Began: true, TimerExpired: true, Left: model.Some(1500 * time.Millisecond)}},
	}
	for _, c := range []struct {
		kind              model.Kind
		facts             model.Facts
		retracts, changed bool
	}{
		{model.KindOutcome, drained, true, false},
		{model.KindOutcome, drained, false, true},
		{model.KindOutcome, sample().Teardown.Facts, false, false},
		{model.KindOutcome, sample().Teardown.Facts, true, true},
		{model.KindTeardown, drained, false, false},
	} {
		e := model.NewEvent(c.kind, c.facts)
		r := e.Judged()
		r.Retracts = c.retracts
		now, changed := Rejudge(&r)
		if changed != c.changed || changed && now.Retracts == c.retracts {
			t.Errorf("%v, retracts %v: changed %v to %v", c.kind, c.retracts, changed, now.Retracts)
		}
		if changed && strings.Join(Differences(&r, &now), "") == "" {
			t.Error("nothing differs of what has changed")
		}
	}
}
