package record

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closetrace/closetrace/model"
)

func TestWrittenIsRead(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			w, err := Create(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := records(1, 3000)
			write(t, w, want...)
			closeWriter(t, w)
			got := read(t, path)
			last := &got[len(got)-1]
			if last.Kind != model.KindStop || last.Stop.Reason != "signal" {
				t.Fatalf("last line: got %+v", last)
			}
			checkTally(t, got)
			if !reflect.DeepEqual(got[:len(got)-1], want[:len(want)-1]) {
				t.Errorf("%s", difference(got, want))
			}
			if c := w.Counts(); c.Lines != uint64(len(want)) || c.Unwritten != 0 || c.Files != 1 {
				t.Errorf("counts: got %+v, want %d lines", c, len(want))
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
			}
			if w.Counts().Bytes != info.Size() {
				t.Errorf("counts say %d bytes, the file has %d", w.Counts().Bytes, info.Size())
			}
		})
	}
}

// checkTally counts the ends of a file and compares with its stop line: the last line of
// an end decides, except an outcome that says nothing about the verdict.
func checkTally(t testing.TB, list []model.Record) {
	t.Helper()
	want, lost := map[string]uint64{}, uint64(0)
	final := map[string]string{}
	for i := range list {
		r := &list[i]
		id, verdict := r.Teardown.ID, r.Teardown.Verdict.String()
		was, known := final[id]
		switch {
		case r.Kind == model.KindLoss:
			lost += r.Loss.Count
		case r.Kind == model.KindCounts:
			want["graceful"] += r.Counted.Ends - r.Counted.TakenBack
		case r.Kind != model.KindTeardown && r.Kind != model.KindOutcome:
		case r.Kind == model.KindTeardown || !known:
			want[verdict]++
			if id != "" {
				final[id] = verdict
			}
		case r.Retracts || verdict != "graceful" && verdict != "unknown":
			want[was]--
			want[verdict]++
			final[id] = verdict
		}
	}
	maps.DeleteFunc(want, func(_ string, n uint64) bool { return n == 0 })
	stop := list[len(list)-1].Stop
	if !reflect.DeepEqual(stop.Teardowns, want) || stop.Lost != lost {
		t.Errorf("stop line: got %v and %d lost, the file has %v and %d", stop.Teardowns, stop.Lost, want, lost)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	folder := t.TempDir()
	file, link, missing := filepath.Join(folder, "a"), filepath.Join(folder, "link"), filepath.Join(folder, "no", "a")
	if err := os.WriteFile(file, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	for _, test := range []struct {
		path  string
		force bool
		want  string
	}{
		{file, false, "--force overwrites it"},
		{link, false, "is a symbolic link"},
		{link, true, "is a symbolic link"},
		{folder, true, "is a directory"},
		{missing, false, "no such file or directory"},
	} {
		_, err := Create(test.path, Options{Force: test.force})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Create(%s, force %v): got %v, want %q", test.path, test.force, err, test.want)
		}
	}
	if _, err := Create(file, Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if got, _ := os.ReadFile(file); string(got) != "precious" {
		t.Errorf("file was changed to %q", got)
	}
}

func TestForceReplacesAndDoesNotWriteThrough(t *testing.T) {
	folder := t.TempDir()
	file, other := filepath.Join(folder, "a"), filepath.Join(folder, "b")
	if err := os.WriteFile(file, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, other); err != nil {
		t.Skip("no hard links here:", err)
	}
	w, err := Create(file, Options{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord(), stopRecord())
	closeWriter(t, w)
	if got, _ := os.ReadFile(other); string(got) != "old" {
		t.Errorf("hard link now holds %q, want what it had", got)
	}
	if info, _ := os.Stat(file); info.Mode() != 0o600 {
		t.Errorf("got mode %v, want 0600", info.Mode())
	}
	read(t, file)
}

// TestFlushesEverySecond reads the file while it is written.
func TestFlushesEverySecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl.zst")
	synctest.Test(t, func(t *testing.T) {
		w, err := Create(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		write(t, w, startRecord(), numbered(1))
		if got := read(t, path); len(got) != 1 {
			t.Errorf("at once: got %d records, want the start line alone", len(got))
		}
		time.Sleep(flushEvery + time.Millisecond)
		synctest.Wait()
		if got := read(t, path); len(got) != 2 {
			t.Errorf("after a second: got %d records, want 2", len(got))
		}
		closeWriter(t, w)
	})
}

func TestRecordWithoutLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	w, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	huge := sample()
	for range 300000 {
		huge.Teardown.Evidence.Events = append(huge.Teardown.Evidence.Events, model.EventRef{Provider: "p"})
	}
	for name, r := range map[string]*model.Record{"unknown kind": {}, "huge": &huge} {
		if err := w.Write(r); !errors.Is(err, ErrLine) {
			t.Errorf("%s: got %v, want ErrLine", name, err)
		}
	}
	write(t, w, numbered(0))
	closeWriter(t, w)
	if got := read(t, path); len(got) != 1 || w.Counts().Unwritten != 2 {
		t.Errorf("got %d records and %+v, want 1 and 2 unwritten", len(got), w.Counts())
	}
}

func TestClosedWriter(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "a"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	closeWriter(t, w)
	closeWriter(t, w)
	r := sample()
	if w.Write(&r) == nil || w.Flush() == nil || w.Rotate() == nil {
		t.Error("a closed Writer takes records")
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "a"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := sample()
	for range 200 {
		write(t, w, r)
	}
	if n := testing.AllocsPerRun(1000, func() { _ = w.Write(&r) }); n != 0 {
		t.Errorf("got %v allocations for a record, want 0", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	folder := t.TempDir()
	w, err := Create(filepath.Join(folder, "a.jsonl.zst"), Options{RotateSize: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			_ = w.Rotate()
			_ = w.Flush()
			w.Counts()
		}
	}()
	for n := range 2000 {
		write(t, w, numbered(n))
	}
	<-done
	write(t, w, stopRecord())
	closeWriter(t, w)
	seen := map[string]bool{}
	for _, file := range recordings(t, folder) {
		for _, r := range read(t, file) {
			if r.Kind == model.KindTeardown {
				if seen[r.Teardown.ID] {
					t.Errorf("teardown %s twice", r.Teardown.ID)
				}
				seen[r.Teardown.ID] = true
			}
		}
	}
	if len(seen) != 2000 {
		t.Errorf("got %d teardowns, want 2000", len(seen))
	}
}
