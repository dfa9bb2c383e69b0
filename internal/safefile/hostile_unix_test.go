//go:build unix

package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// stranger is a user that has nothing to do with the tests.
const stranger = 12345

// TestHostileFolder puts into the folder of an output what its owner could put there:
// nothing is written through it, nothing waits for it, and what is made is new and
// readable by its owner only.
func TestHostileFolder(t *testing.T) {
	for name, c := range map[string]struct {
		put     func(t *testing.T, path, victim string)
		refused bool
		root    bool
	}{
		"nothing":         {put: func(*testing.T, string, string) {}},
		"a file":          {put: func(t *testing.T, path, _ string) { must(t, os.WriteFile(path, []byte("old"), 0o666)) }},
		"a symbolic link": {refused: true, put: func(t *testing.T, path, victim string) { must(t, os.Symlink(victim, path)) }},
		"a dangling link": {refused: true, put: func(t *testing.T, path, victim string) { must(t, os.Symlink(victim+".new", path)) }},
		"a hard link":     {put: func(t *testing.T, path, victim string) { must(t, os.Link(victim, path)) }},
		"a folder":        {refused: true, put: func(t *testing.T, path, _ string) { must(t, os.Mkdir(path, 0o777)) }},
		"a stranger's pipe": {refused: true, root: true, put: func(t *testing.T, path, _ string) {
			must(t, syscall.Mkfifo(path, 0o666))
			must(t, os.Chown(path, stranger, stranger))
		}},
		"a stranger's socket": {refused: true, root: true, put: strangersSocket},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			t.Setenv("SUDO_UID", "")
			folder := t.TempDir()
			victim, path := filepath.Join(t.TempDir(), "victim"), filepath.Join(folder, "out.jsonl")
			must(t, os.WriteFile(victim, []byte("precious"), 0o644))
			c.put(t, path, victim)
			done := make(chan error, 1)
			go func() {
				f, err := Create(path, true)
				if err == nil {
					_, err = f.WriteString("new")
					err = errors.Join(err, f.Close())
				}
				done <- err
			}()
			var err error
			select {
			case err = <-done:
			case <-time.After(10 * time.Second):
				t.Fatal("waits for ever")
			}
			if (err != nil) != c.refused {
				t.Errorf("got %v, want refused: %v", err, c.refused)
			}
			if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
				t.Errorf("the victim is %q now, %v", text, err)
			}
			if _, err := os.Lstat(victim + ".new"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file was made where the link shows: %v", err)
			}
			if info, err := os.Lstat(path); !c.refused && (err != nil || info.Mode() != 0o600) {
				t.Errorf("made %v, %v, want a file of mode 0600", info, err)
			}
		})
	}
}

func strangersSocket(t *testing.T, path, _ string) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	defer syscall.Close(fd)
	must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	must(t, os.Chown(path, stranger, stranger))
}

// TestWithoutForce: nothing that is there is touched.
func TestWithoutForce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	must(t, syscall.Mkfifo(path, 0o600))
	if _, err := Create(path, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want that it exists", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPipeSwappedIn: a stranger's pipe takes the place of our own, or of a device, after it
// was looked at. Nothing waits for its reader, and nothing is written into it.
func TestPipeSwappedIn(t *testing.T) {
	for _, read := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "pipe")
		must(t, syscall.Mkfifo(path, 0o600))
		folder, err := OpenFor(path)
		must(t, err)
		defer folder.Close()
		info, err := folder.Look("pipe")
		must(t, err)
		must(t, os.Rename(path, path+"-ours")) // else its number may be used again
		must(t, syscall.Mkfifo(path, 0o666))
		if read {
			reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			must(t, err)
			defer reader.Close()
		}
		done := make(chan error, 1)
		go func() {
			_, err := openDevice(folder.(*directory), "pipe", info)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("read %v: the other pipe was opened", read)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("waits for ever")
		}
	}
}

// TestOwnPipe: who names his own pipe may begin to read it later.
func TestOwnPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	done := make(chan error, 1)
	go func() {
		f, err := Create(path, true)
		if err == nil {
			_, err = f.WriteString("new")
			err = errors.Join(err, f.Close())
		}
		done <- err
	}()
	text, err := os.ReadFile(path) // opens it for reading
	if written := <-done; err != nil || written != nil || string(text) != "new" {
		t.Errorf("read %q, %v; written: %v", text, err, written)
	}
}

// TestSwappedIn: what comes to be there after it was looked at is neither opened nor replaced.
func TestSwappedIn(t *testing.T) {
	folder := t.TempDir()
	d, err := OpenFor(filepath.Join(folder, "x"))
	must(t, err)
	defer d.Close()
	must(t, os.WriteFile(filepath.Join(folder, "victim"), []byte("precious"), 0o600))
	must(t, os.Symlink("victim", filepath.Join(folder, "link")))
	must(t, os.Symlink("new", filepath.Join(folder, "dangling")))
	for _, name := range []string{"victim", "link", "dangling"} {
		if _, err := fresh(d.(*directory), name); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: got %v, want that it exists", name, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(folder, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made where the link shows: %v", err)
	}
}
