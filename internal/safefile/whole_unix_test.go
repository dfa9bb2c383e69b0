//go:build unix

package safefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestWhole: what could not be written whole is removed, and never what somebody else has
// put in its place meanwhile.
func TestWhole(t *testing.T) {
	failure := errors.New("the disk is full")
	folder := t.TempDir()
	path := filepath.Join(folder, "page.html")
	half := func(then func() error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, "half")
			return errors.Join(err, then(), failure)
		}
	}
	if err := Whole(path, false, half(func() error { return nil })); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of a file is left: %v", err)
	}
	if err := Whole(path, false, func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "whole" {
		t.Errorf("got %q, %v", text, err)
	}
	if err := Whole(path, true, half(func() error {
		return errors.Join(os.Rename(path, path+".away"), os.WriteFile(path, []byte("precious"), 0o600))
	})); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the other file is %q, %v", text, err)
	}
}

// TestWholeInAFolderThatGoes: the folder is moved away, and another takes its place, with a
// file of that name.
func TestWholeInAFolderThatGoes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	path := filepath.Join(folder, "page.html")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("the disk is full")
	err := Whole(path, false, func(io.Writer) error {
		return errors.Join(os.Rename(folder, folder+".away"), os.Mkdir(folder, 0o700), os.WriteFile(path, []byte("precious"), 0o600), failure)
	})
	if !errors.Is(err, failure) {
		t.Skipf("a folder in use cannot be moved here: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the other file is %q, %v", text, err)
	}
	if left, _ := os.ReadDir(folder + ".away"); len(left) != 0 {
		t.Errorf("half of a file is left in its own folder: %v", left)
	}
}
