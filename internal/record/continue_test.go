package record

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestContinue: a service that is started again keeps what its earlier runs have recorded,
// and bounds all of it.
func TestContinue(t *testing.T) {
	options := Options{RotateSize: 16 << 10, RotateKeep: 3, Continue: true}
	folder := t.TempDir()
	path := filepath.Join(folder, "a.b.jsonl.zst")
	others := []string{
		"a.b.jsonl", "a.b-mine.jsonl.zst", "a.b-20200101.jsonl.zst", "c-20200101T000000.000000Z.jsonl.zst",
		"a.b-20200101T000000.000000Z.jsonl", "a.b-20200101T000000.000000Z.jsonl.zst.part",
	}
	earlier := []string{"a.b-20200101T000000.000000Z.jsonl.zst", "a.b-20200101T000000.000000Z-2.jsonl.zst", "a.b-20200102T000000.000000Z.jsonl.zst"}
	for _, name := range append(slices.Clone(others), append(earlier, "a.b.jsonl.zst")...) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("of an earlier run"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(folder, "a.b-20190101T000000.000000Z.jsonl.zst")); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2020, 1, 3, 4, 5, 6, 789e3, time.UTC)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	w, err := Create(path, options)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord())
	closeWriter(t, w)
	if got := read(t, path); len(got) == 0 {
		t.Error("nothing was recorded")
	}
	left := recordingNames(t, folder)
	want := append(slices.Clone(others), "a.b-20190101T000000.000000Z.jsonl.zst", "a.b.jsonl.zst",
		earlier[0], earlier[2], "a.b-20200103T040506.000789Z.jsonl.zst")
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("left are\n%q, want\n%q", left, want)
	}
	if text, _ := os.ReadFile(filepath.Join(folder, "a.b-20200103T040506.000789Z.jsonl.zst")); string(text) != "of an earlier run" {
		t.Errorf("the last run's file holds %q", text)
	}
}

// TestContinueOfRunning: a file to which a recorder writes, also after a rotation, is not taken over.
func TestContinueOfRunning(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename an open file")
	}
	path := filepath.Join(t.TempDir(), "a.jsonl")
	w, err := Create(path, Options{Continue: true})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord())
	for range 2 {
		if _, err := Create(path, Options{Continue: true}); !errors.Is(err, errInUse) {
			t.Fatalf("a second recorder: %v", err)
		}
		if err := w.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	closeWriter(t, w)
	again, err := Create(path, Options{Continue: true})
	if err != nil {
		t.Fatal(err)
	}
	closeWriter(t, again)
}

func recordingNames(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestContinueRefusesLinks: what is no file is refused, as without Continue.
func TestContinueRefusesLinks(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.jsonl")
	if err := os.Symlink(filepath.Join(folder, "elsewhere"), path); err != nil {
		t.Skip(err)
	}
	if _, err := Create(path, Options{RotateSize: 16 << 10, Continue: true}); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("got %v, want that it is a symbolic link", err)
	}
}
