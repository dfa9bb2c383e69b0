package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// newRotating is a recording in a folder of its own, with its start line.
func newRotating(t *testing.T, options Options) (*Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.jsonl")
	w, err := Create(path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	write(t, w, startRecord())
	return w, path
}

// TestRotateAtTheVerySize: a file is full when it has RotateSize, not a byte later.
func TestRotateAtTheVerySize(t *testing.T) {
	lineSize := func(r model.Record) int { return len(Append(nil, &r)) }
	size, n := lineSize(startRecord()), 0
	for ; size < MinSize; n++ {
		size += lineSize(numbered(n))
	}
	for spare, want := range map[int]int{0: 2, 1: 1} {
		w, path := newRotating(t, Options{RotateSize: int64(size + spare)})
		for i := range n {
			if files := recordings(t, filepath.Dir(path)); len(files) != 1 {
				t.Fatalf("%d files before the last record", len(files))
			}
			write(t, w, numbered(i))
		}
		if files := recordings(t, filepath.Dir(path)); len(files) != want {
			t.Errorf("%d bytes to spare: got %d files, want %d", spare, len(files), want)
		}
	}
}

// TestRotateKeep: as many full files stay as asked for, the latest ones.
func TestRotateKeep(t *testing.T) {
	for keep := 1; keep <= 3; keep++ {
		w, path := newRotating(t, Options{RotateKeep: keep})
		const total = 6
		for n := range total {
			write(t, w, numbered(n))
			if err := w.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
		files := recordings(t, filepath.Dir(path))
		if len(files) != keep+1 {
			t.Fatalf("got %d files, want %d full ones and the current one", len(files), keep)
		}
		for i, file := range files[:keep] {
			want := fmt.Sprint(total - keep + i)
			if got := read(t, file); len(got) != 3 || got[1].Teardown.ID != want {
				t.Errorf("keep %d, %s: got %d records, want the one with teardown %s", keep, file, len(got), want)
			}
		}
	}
}

// TestStartLineOfTheNextFile: it has the time when that file begins, and otherwise
// repeats the first one.
func TestStartLineOfTheNextFile(t *testing.T) {
	w, path := newRotating(t, Options{})
	write(t, w, numbered(1))
	before := model.TimeOf(time.Now())
	if err := w.Rotate(); err != nil {
		t.Fatal(err)
	}
	after := model.TimeOf(time.Now())
	closeWriter(t, w)
	got := read(t, path)[0]
	want := startRecord()
	if at := got.Start.Time; at < before || at > after {
		t.Errorf("the file begins at %v, want between %v and %v", at, before, after)
	}
	if got.Start.Time = want.Start.Time; got.Start != want.Start {
		t.Errorf("got %+v, want %+v", got.Start, want.Start)
	}
}

// TestForeignFileInItsPlace: a file of another program is neither moved nor written to,
// and the recording says so.
func TestForeignFileInItsPlace(t *testing.T) {
	w, path := newRotating(t, Options{Force: true})
	write(t, w, numbered(1))
	fatal := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	fatal(os.Rename(path, path+".1"))
	fatal(os.WriteFile(path, []byte("of somebody else"), 0o600))
	if err := w.Rotate(); err == nil {
		t.Error("got no error")
	}
	if text, err := os.ReadFile(path); string(text) != "of somebody else" {
		t.Errorf("the other file holds %q, %v", text, err)
	}
	if files := recordings(t, filepath.Dir(path)); len(files) != 2 {
		t.Errorf("got the files %v", files)
	}
	if _, err := createNext(path, Options{Force: true, Folder: w.options.Folder}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that came later: got %v, want that it exists", err)
	}
}

// TestRotatedNameIsNew: no file is renamed over another one.
func TestRotatedNameIsNew(t *testing.T) {
	w, path := newRotating(t, Options{})
	write(t, w, numbered(1))
	taken := filepath.Join(filepath.Dir(path), rotatedName(w.file.folder, w.file.base, w.file.begun))
	if err := os.WriteFile(taken, []byte("of somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Rotate(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(taken); string(text) != "of somebody else" {
		t.Errorf("the other file holds %q, %v", text, err)
	}
	if files := recordings(t, filepath.Dir(path)); len(files) != 3 {
		t.Errorf("got the files %v, want three", files)
	}
}
