package record

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/model"
)

func TestMaxSizeStopsInTime(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			const limit = 64 << 10
			w, err := Create(path, Options{MaxSize: limit})
			if err != nil {
				t.Fatal(err)
			}
			write(t, w, startRecord())
			r := random{rand.New(rand.NewPCG(2, 2))}
			n, stop := 0, stopRecord()
			for err == nil {
				rec := r.record()
				if rec.Kind = model.KindTeardown; n > 1e6 {
					t.Fatal("no end")
				}
				if err = w.Write(&rec); err == nil {
					n++
				}
			}
			if !errors.Is(err, ErrMaxSize) {
				t.Fatalf("got %v, want ErrMaxSize", err)
			}
			if err := w.Write(&stop); err != nil {
				t.Errorf("stop line: %v", err)
			}
			closeWriter(t, w)
			got := read(t, path)
			checkTally(t, got)
			if len(got) != n+2 {
				t.Errorf("got %d records, want the %d that were accepted and start and stop", len(got), n)
			}
			info, _ := os.Stat(path)
			if info.Size() > limit || info.Size() < limit*3/4 {
				t.Errorf("file has %d bytes, want just below %d", info.Size(), limit)
			}
			if c := w.Counts(); c.Unwritten != 1 {
				t.Errorf("got %d unwritten, want the 1 that was refused", c.Unwritten)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			w, err := Create(filepath.Join(folder, name), Options{RotateSize: 32 << 10})
			if err != nil {
				t.Fatal(err)
			}
			write(t, w, startRecord())
			const total = 5000
			for n := range total {
				write(t, w, numbered(n))
			}
			write(t, w, stopRecord())
			closeWriter(t, w)
			files := recordings(t, folder)
			if len(files) < 3 || w.Counts().Files != len(files) {
				t.Fatalf("got %d files, the counts say %d", len(files), w.Counts().Files)
			}
			next := 0
			for i, file := range files {
				list := read(t, file)
				wantReason := "rotate"
				if i == len(files)-1 {
					wantReason = "signal"
				}
				first, last := &list[0], &list[len(list)-1]
				if first.Kind != model.KindStart || first.Start.Backend != "tracepoint" {
					t.Errorf("%s begins with %v", file, first.Kind)
				}
				if last.Kind != model.KindStop || last.Stop.Reason != wantReason {
					t.Errorf("%s ends with %v %q, want stop %q", file, last.Kind, last.Stop.Reason, wantReason)
				}
				checkTally(t, list)
				for _, r := range list[1 : len(list)-1] {
					if r.Teardown.ID != fmt.Sprint(next) {
						t.Fatalf("%s: got teardown %s, want %d", file, r.Teardown.ID, next)
					}
					next++
				}
			}
			if next != total {
				t.Errorf("got %d teardowns in all files, want %d", next, total)
			}
		})
	}
}

// recordings returns the files of a folder, oldest first: the current one has
// the shortest name.
func recordings(t testing.TB, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, func(a, b string) int {
		if (len(a) < len(b)) != (len(b) < len(a)) && min(len(a), len(b))+10 < max(len(a), len(b)) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return files
}

func TestRotateKeepAndMaxSize(t *testing.T) {
	for name, options := range map[string]Options{
		"keep":     {RotateSize: 16 << 10, RotateKeep: 3},
		"max size": {RotateSize: 16 << 10, MaxSize: 64 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			stranger := filepath.Join(folder, "a-20200101T000000.000000Z.jsonl")
			if err := os.WriteFile(stranger, []byte("of an earlier run"), 0o600); err != nil {
				t.Fatal(err)
			}
			w, err := Create(filepath.Join(folder, "a.jsonl"), options)
			if err != nil {
				t.Fatal(err)
			}
			write(t, w, startRecord())
			for n := range 1000 {
				write(t, w, numbered(n))
			}
			write(t, w, stopRecord())
			closeWriter(t, w)
			if _, err := os.Stat(stranger); err != nil {
				t.Errorf("a file of another run was removed: %v", err)
			}
			os.Remove(stranger)
			files := recordings(t, folder)
			if len(files) > 5 || len(files) < 3 {
				t.Errorf("got %d files", len(files))
			}
			var size int64
			for _, file := range files {
				checkTally(t, read(t, file))
				info, _ := os.Stat(file)
				size += info.Size()
			}
			if options.MaxSize > 0 && size > options.MaxSize {
				t.Errorf("files have %d bytes, want at most %d", size, options.MaxSize)
			}
			last := "" // the last file may have just begun
			for _, file := range files[len(files)-2:] {
				for _, r := range read(t, file) {
					last = cmp.Or(r.Teardown.ID, last)
				}
			}
			if last != "999" {
				t.Errorf("got %s as the last teardown, want 999: the oldest go, not the newest", last)
			}
		})
	}
}

func TestRotateByAgeAndOnDemand(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w, err := Create(filepath.Join(folder, "a.jsonl"), Options{RotateAge: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		write(t, w, startRecord(), numbered(0))
		time.Sleep(time.Hour + 2*time.Second)
		synctest.Wait()
		if n := len(recordings(t, folder)); n != 2 {
			t.Errorf("after an hour: got %d files, want 2", n)
		}
		write(t, w, numbered(1))
		if err := w.Rotate(); err != nil {
			t.Fatal(err)
		}
		write(t, w, stopRecord())
		time.Sleep(3 * time.Hour) // nothing begins after the stop line
		closeWriter(t, w)
	})
	files := recordings(t, folder)
	if len(files) != 3 {
		t.Fatalf("got %d files, want 3", len(files))
	}
	for i, want := range []int{3, 3, 2} {
		if got := len(read(t, files[i])); got != want {
			t.Errorf("%s: got %d records, want %d", files[i], got, want)
		}
	}
}

// TestMovedByLogrotate: another program renames the file and asks for a new one.
func TestMovedByLogrotate(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.jsonl")
	w, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord(), numbered(0))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Rotate(); err != nil {
		t.Fatal(err)
	}
	write(t, w, numbered(1), stopRecord())
	closeWriter(t, w)
	if got := read(t, path+".1"); len(got) != 3 {
		t.Errorf("moved file: got %d records, want start, teardown, stop", len(got))
	}
	if got := read(t, path); len(got) != 3 {
		t.Errorf("new file: got %d records, want start, teardown, stop", len(got))
	}
}

// stuckFolder is on a disk that takes its time to make names durable.
type stuckFolder struct {
	safefile.Folder
	stuck   atomic.Bool
	release chan struct{}
}

func (f *stuckFolder) Sync() {
	if f.stuck.Load() {
		<-f.release
	}
}

// TestRotationWithSlowDisk: the recording goes on while names are made durable.
func TestRotationWithSlowDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	local, err := safefile.OpenFor(path)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	folder := &stuckFolder{Folder: local, release: make(chan struct{})}
	w, err := Create(path, Options{RotateSize: 32 << 10, Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	folder.stuck.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		write(t, w, startRecord())
		for n := range 1000 {
			write(t, w, numbered(n))
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("writing waits for the disk")
	}
	close(folder.release)
	<-done
	closeWriter(t, w)
	if w.Counts().Files < 2 {
		t.Errorf("%d files", w.Counts().Files)
	}
}
