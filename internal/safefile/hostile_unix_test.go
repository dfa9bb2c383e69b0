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
