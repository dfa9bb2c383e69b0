//go:build unix

package agent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestSpoolOfAnother: root writes no spool in a directory that another user owns, can write
// to, or can exchange: he could put links into it, to files of root.
func TestSpoolOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const stranger = 12345
	top := t.TempDir()
	at := func(name string) string { return filepath.Join(top, name) }
	victim := at("victim")
	for _, err := range []error{
		os.WriteFile(victim, []byte("precious"), 0o600), os.Mkdir(at("his"), 0o755), os.Mkdir(at("free"), 0o700), os.Chmod(at("free"), 0o777),
		os.Symlink(victim, at("his/closetrace.diskqueue.meta.dat")), os.Symlink(victim, at("his/closetrace.diskqueue.000000.dat")),
		os.MkdirAll(at("his/ours"), 0o700), os.Mkdir(at("own"), 0o700), os.Symlink(at("own"), at("his/link")), os.Symlink(at("his"), at("link")),
		os.Mkdir(at("tmp"), 0o700), os.Chmod(at("tmp"), os.ModeSticky|0o777), os.Mkdir(at("tmp/his"), 0o755), os.Mkdir(at("tmp/ours"), 0o755),
		os.Symlink(at("own"), at("ownlink")), os.Chown(at("his"), stranger, stranger), os.Chown(at("tmp/his"), stranger, stranger),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, refused := range map[string]bool{
		"his": true, "free": true, "his/ours": true, "his/new/spool": true, "his/link": true, "link": true, "link/new": true,
		"tmp": true, "tmp/his": true, "free/new": true,
		"own": false, "new/spool": false, "tmp/ours": false, "tmp/new": false, "ownlink/spool": false,
	} {
		a, err := New(t.Context(), Options{Endpoint: "http://127.0.0.1:1", Spool: at(name), SpoolSize: 1 << 20, Log: t.Logf})
		if err == nil {
			err = a.Close()
		}
		if refused && !errors.Is(err, errSpool) || !refused && err != nil {
			t.Errorf("%s: %v, want refused: %v", name, err, refused)
		}
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("the victim is %q, %v", text, err)
	}
	if made, _ := filepath.Glob(at("his/*")); len(made) != 4 {
		t.Errorf("made %q", made)
	}
}

// TestSpoolOfWhomItBecomes: root makes the spool, and the agent becomes its owner.
func TestSpoolOfWhomItBecomes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const owner, stranger = 12345, 12346
	path := t.TempDir()
	if err := os.Chown(path, owner, owner); err != nil {
		t.Fatal(err)
	}
	if err := MakeSpool(path, owner); err != nil {
		t.Error(err)
	}
	if err := MakeSpool(path, stranger); !errors.Is(err, errSpool) {
		t.Errorf("got %v, want that it is refused", err)
	}
}
