package record

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// tmpfs mounts a file system of that size.
func tmpfs(t *testing.T, size int) string {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		lacking(t, "bpf", "mount tmpfs:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return folder
}

// TestDiskFull fills a file system. What was accepted and not counted as
// unwritten is there, once, and parses.
func TestDiskFull(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		for _, rotate := range []int64{0, 128 << 10} {
			t.Run(fmt.Sprintf("%s rotate %d", name, rotate), func(t *testing.T) {
				folder := tmpfs(t, 1<<20)
				failures := 0
				w, err := Create(filepath.Join(folder, name), Options{RotateSize: rotate, OnError: func(error) { failures++ }})
				if err != nil {
					t.Fatal(err)
				}
				write(t, w, startRecord())
				n := 0
				for ; err == nil; n++ {
					if n > 1e6 {
						t.Fatal("the disk is never full")
					}
					r := numbered(n)
					err = w.Write(&r)
				}
				if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
					t.Errorf("got %v, want ENOSPC and what to do", err)
				}
				if again := w.Write(ptr(numbered(0))); !errors.Is(again, syscall.ENOSPC) {
					t.Errorf("next record: got %v, want the same error", again)
				}
				stopErr := w.Write(ptr(stopRecord()))
				w.Close()
				counts := w.Counts()
				if failures != 1 {
					t.Errorf("OnError was called %d times, want once", failures)
				}
				ids, others := 0, 0
				for _, file := range recordings(t, folder) {
					for _, r := range read(t, file) {
						if r.Kind != model.KindTeardown {
							others++
							continue
						}
						if r.Teardown.ID != strconv.Itoa(ids) {
							t.Fatalf("%s: got teardown %s, want %d", file, r.Teardown.ID, ids)
						}
						ids++
					}
				}
				if got := uint64(ids + others); got != counts.Lines {
					t.Errorf("files have %d lines, the counts say %+v", got, counts)
				}
				if accepted := uint64(n + 1); uint64(ids)+counts.Unwritten < accepted {
					t.Errorf("%d teardowns were given, %d are there, %d counted as unwritten", accepted, ids, counts.Unwritten)
				}
				t.Logf("%d teardowns of %d, %d unwritten, stop line: %v", ids, n, counts.Unwritten, stopErr == nil)
			})
		}
	}
}

func ptr(r model.Record) *model.Record { return &r }

// TestFullDevice: the errors of a device, which can't be cut back.
func TestFullDevice(t *testing.T) {
	w, err := Create("/dev/full", Options{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ptr(startRecord())); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	w.Close()
	if c := w.Counts(); c.Lines != 0 || c.Unwritten != 1 {
		t.Errorf("got %+v, want nothing written", c)
	}
}

// TestInputOutputError writes to a terminal whose other side has gone: EIO.
func TestInputOutputError(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		lacking(t, "bpf", "open a terminal:", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		lacking(t, "bpf", "open a terminal:", err)
	}
	w, err := Create(fmt.Sprintf("/dev/pts/%d", n), Options{Force: true})
	if err != nil {
		lacking(t, "bpf", "open a terminal:", err)
	}
	master.Close()
	if err := w.Write(ptr(startRecord())); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want EIO", err)
	}
	w.Close()
}

// TestReaderOfPipeDies: the lines that came through are whole but for the last.
func TestReaderOfPipeDies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		lacking(t, "bpf", "mkfifo:", err)
	}
	lines := make(chan []string)
	go func() {
		var got []string
		f, err := os.Open(path)
		if err == nil {
			in := bufio.NewReader(f)
			for len(got) < 500 {
				line, err := in.ReadString('\n')
				if err != nil {
					break
				}
				got = append(got, line)
			}
			f.Close()
		}
		lines <- got
	}()
	w, err := Create(path, Options{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord())
	n := 0
	for ; err == nil; n++ {
		err = w.Write(ptr(numbered(n)))
	}
	if !errors.Is(err, syscall.EPIPE) || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("got %v, want EPIPE in words", err)
	}
	if err := w.Write(ptr(stopRecord())); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("stop line: got %v, want EPIPE", err)
	}
	w.Close()
	got := <-lines
	var d Decoder
	for i, line := range got {
		var r model.Record
		if err := d.Decode([]byte(line), &r); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if i > 0 && r.Teardown.ID != strconv.Itoa(i-1) {
			t.Fatalf("line %d has teardown %s", i+1, r.Teardown.ID)
		}
	}
	if c := w.Counts(); c.Lines < uint64(len(got)) || c.Unwritten == 0 {
		t.Errorf("%d lines were read, the counts say %+v", len(got), c)
	}
}

func TestFolderRemoved(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "f")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	w, err := Create(filepath.Join(folder, "a.jsonl"), Options{OnError: func(err error) { told <- err }})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord())
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-told:
		if !errors.Is(err, ErrRemoved) {
			t.Errorf("got %v, want ErrRemoved", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was told of a recording without a name")
	}
	if err := w.Write(ptr(numbered(0))); !errors.Is(err, ErrRemoved) {
		t.Errorf("next record: got %v, want ErrRemoved", err)
	}
	w.Close()
}

func TestFolderRemovedBeforeRotation(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "f")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := Create(filepath.Join(folder, "a.jsonl"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord())
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := w.Rotate(); err == nil || !strings.HasPrefix(err.Error(), "rotate recording: ") {
		t.Errorf("got %v, want that it can't be rotated", err)
	}
	w.Close()
}

// TestStandardOutput writes to standard output as a pipe and as a file.
func TestStandardOutput(t *testing.T) {
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "before")
	os.Stdout = f
	w, err := Create("-", Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord(), numbered(0), stopRecord())
	if err := w.Rotate(); err != nil {
		t.Errorf("rotate: %v", err)
	}
	closeWriter(t, w)
	if _, err := fmt.Fprintln(f, "after"); err != nil {
		t.Errorf("standard output was closed: %v", err)
	}
	data, _ := os.ReadFile(path)
	if s := string(data); !strings.HasPrefix(s, "before\n{") || !strings.HasSuffix(s, "}\nafter\n") || strings.Count(s, "\n") != 5 {
		t.Errorf("got %s", s)
	}
}

// TestTruncated: a recording whose file is truncated says so and ends, within a second
// and at its stop. No stop line claims what the file does not hold.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		for what, next := range map[string]func(*Writer) error{
			"told":     nil,
			"stop":     func(w *Writer) error { return errors.Join(w.Write(ptr(stopRecord())), w.Flush()) },
			"rotation": func(w *Writer) error { return w.Rotate() },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				path, told := filepath.Join(t.TempDir(), name), make(chan error, 1)
				w, err := Create(path, Options{OnError: func(err error) { told <- err }})
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				write(t, w, startRecord(), numbered(0), numbered(1))
				if err := errors.Join(w.Flush(), os.Truncate(path, 10)); err != nil {
					t.Fatal(err)
				}
				if next != nil {
					err = next(w)
				} else {
					err = <-told
				}
				if !errors.Is(err, ErrTruncated) {
					t.Errorf("got %v, want ErrTruncated", err)
				}
				if err := w.Write(ptr(stopRecord())); !errors.Is(err, ErrTruncated) {
					t.Errorf("stop: got %v, want ErrTruncated", err)
				}
				if info, err := os.Stat(path); err != nil || info.Size() != 10 {
					t.Errorf("%d bytes, %v; want the 10 that were left", info.Size(), err)
				}
			})
		}
	}
}

// TestFolderSwapped: while a recording is written, its folder is moved away and a link to
// another folder takes its place. Nothing is made or renamed there, before a rotation
// and at it.
func TestFolderSwapped(t *testing.T) {
	top := t.TempDir()
	folder, moved, victim := top+"/out", top+"/moved", top+"/victim"
	for _, f := range []string{folder, victim} {
		if err := os.Mkdir(f, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(victim+"/a.jsonl", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Create(folder+"/a.jsonl", Options{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, startRecord(), numbered(0))
	if err := errors.Join(os.Rename(folder, moved), os.Symlink(victim, folder)); err != nil {
		t.Fatal(err)
	}
	failed := w.Rotate()
	for n := 1; n < 4 && failed == nil; n++ {
		r := numbered(n)
		failed = w.Write(&r)
	}
	if closed := w.Close(); failed == nil {
		failed = closed
	}
	t.Logf("the writer says: %v", failed)
	text, err := os.ReadFile(victim + "/a.jsonl")
	if err != nil || string(text) != "precious" {
		t.Errorf("the other folder's file is %q (%v)", text, err)
	}
	if names, _ := filepath.Glob(victim + "/*"); len(names) != 1 {
		t.Errorf("the other folder has %q", names)
	}
	kept, _ := filepath.Glob(moved + "/*")
	if len(kept) == 0 || failed == nil && len(kept) != 2 {
		t.Errorf("the folder that was moved has %q", kept)
	}
}
