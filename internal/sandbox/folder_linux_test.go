package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMayWrite: as the kernel does, the mode for the owner counts for the owner alone, and that
// for the group for its members.
func TestMayWrite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes folders of others")
	}
	const owner, group, other = 12345, 12346, 12347
	folder := t.TempDir()
	for _, c := range []struct {
		mode     os.FileMode
		uid, gid int
		want     bool
	}{
		{0o300, owner, group, true},
		{0o300, other, group, false},
		{0o300, other, other, false},
		{0o200, owner, group, false},
		{0o100, owner, group, false},
		{0o030, owner, other, false},
		{0o030, other, group, true},
		{0o030, other, other, false},
		{0o020, other, group, false},
		{0o003, owner, other, false},
		{0o003, other, group, false},
		{0o003, other, other, true},
		{0o001, other, other, false},
	} {
		if err := errors.Join(os.Chmod(folder, c.mode), os.Chown(folder, owner, group)); err != nil {
			t.Fatal(err)
		}
		if got := mayWrite(folder, Identity{UID: c.uid, GID: c.gid}); got != c.want {
			t.Errorf("mode %o, user %d:%d: got %v", c.mode, c.uid, c.gid, got)
		}
	}
	if mayWrite(folder+"/none", Identity{UID: owner}) {
		t.Error("a missing folder can be written to")
	}
}

// TestHiddenFiles: once privileges are dropped, the helper makes no hidden file but the one that was
// made before, which is rotated.
func TestHiddenFiles(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	h := &helper{role: "files", conn: ends[0]}
	defer func() { _ = unix.Close(h.conn) }()
	r := &remote{box: &Box{entered: true}, helper: h, given: ".out.jsonl"}
	if _, err := r.Create(".bashrc", false); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want that it is refused", err)
	}
	for _, name := range []string{".out.jsonl", "out.jsonl"} {
		if err := unix.Sendmsg(ends[1], []byte(`{"Error":"asked"}`), nil, nil, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Create(name, false); err == nil || !strings.Contains(err.Error(), "asked") {
			t.Errorf("%s: got %v, want what the helper says", name, err)
		}
	}
}

// TestMapped: the last number of a range is in it, and the next one is not.
func TestMapped(t *testing.T) {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Skip(err)
	}
	var first, outside, count int
	if _, err := fmt.Sscan(string(text), &first, &outside, &count); err != nil || strings.Count(string(text), "\n") != 1 {
		t.Skipf("several ranges: %q", text)
	}
	for id, want := range map[int]bool{first: true, first + count - 1: true, first + count: false, first - 1: false} {
		if got := mapped("uid", id); got != want {
			t.Errorf("of %d from %d: %d is mapped: %v", count, first, id, got)
		}
	}
	if mapped("none", first) {
		t.Error("a number is mapped in a file that is not there")
	}
}
