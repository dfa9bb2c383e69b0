//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHostileKeys: sudo may keep the HOME of who calls it, and what he put in the place of
// the file of keys neither stops root's screen nor fills its memory.
func TestHostileKeys(t *testing.T) {
	for what, c := range map[string]struct {
		put  func(path string) error
		want string
	}{
		"no file":  {func(string) error { return nil }, ""},
		"a file":   {func(path string) error { return os.WriteFile(path, []byte(`{"pause": ["x"]}`), 0o644) }, ""},
		"a pipe":   {func(path string) error { return syscall.Mkfifo(path, 0o666) }, "regular file"},
		"a device": {func(path string) error { return os.Symlink("/dev/zero", path) }, "regular file"},
		"a folder": {func(path string) error { return os.Mkdir(path, 0o755) }, "regular file"},
		"1 GB": {func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("{"), 0o644), os.Truncate(path, 1<<30))
		}, "larger than"},
	} {
		t.Run(what, func(t *testing.T) {
			home := t.TempDir()
			t.Setenv("HOME", home)
			t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
			config, err := os.UserConfigDir()
			if err != nil {
				t.Fatal(err)
			}
			folder := filepath.Join(config, "closetrace")
			if err := errors.Join(os.MkdirAll(folder, 0o755), c.put(filepath.Join(folder, "keys.json"))); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := readKeys()
				done <- err
			}()
			select {
			case err = <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("waits for ever")
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestEndlessKey: a device in the place of the key is refused, in bounded memory.
func TestEndlessKey(t *testing.T) {
	if _, err := readKey("/dev/zero"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}
