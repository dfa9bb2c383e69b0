//go:build unix

package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

// TestRead: a file of as many bytes as are allowed is read, a larger one and what is no file are not.
func TestRead(t *testing.T) {
	folder := t.TempDir()
	path, pipe := filepath.Join(folder, "file"), filepath.Join(folder, "pipe")
	must(t, os.WriteFile(path, []byte("12345"), 0o600))
	must(t, syscall.Mkfifo(pipe, 0o600))
	for most, whole := range map[int64]bool{4: false, 5: true, 6: true} {
		text, err := Read(path, most)
		if whole && (err != nil || string(text) != "12345") || !whole && (err == nil || !strings.Contains(err.Error(), "is larger than 4 bytes")) {
			t.Errorf("of at most %d bytes: got %q, %v", most, text, err)
		}
	}
	for _, no := range []string{pipe, folder} {
		if _, err := Read(no, 5); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("%s: got %v", no, err)
		}
	}
	if _, err := Read(path+".missing", 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: got %v", err)
	}
	broken := errors.New("broken")
	if _, err := Limited(iotest.ErrReader(broken), "x", 5); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

// TestRefusals: the error says what is in the way, and of a missing folder it names the file.
func TestRefusals(t *testing.T) {
	folder := t.TempDir()
	link, sub, file := filepath.Join(folder, "link"), filepath.Join(folder, "sub"), filepath.Join(folder, "file")
	must(t, os.Symlink(file, link))
	must(t, os.Mkdir(sub, 0o700))
	must(t, os.WriteFile(file, nil, 0o600))
	for path, want := range map[string]string{
		link: "is a symbolic link", sub: "is a directory", filepath.Join(folder, "none", "out"): "open " + filepath.Join(folder, "none", "out") + ": no such file or directory",
	} {
		for _, force := range []bool{false, true} {
			if _, err := Create(path, force); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, force %v: got %v, want that it %s", path, force, err, want)
			}
		}
	}
	if _, err := Create(file, false); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("got %v", err)
	}
}
