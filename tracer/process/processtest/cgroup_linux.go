package processtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Cgroup makes a control group at a path below the mount of cgroup v2, and removes what
// it made when the test ends. If that can't be done the test is skipped, unless
// CLOSETRACE_REQUIRE wants it.
func Cgroup(t *testing.T, mount, path string) (id uint64, directory *os.File) {
	t.Helper()
	if mount == "" {
		skip(t, "cgroup v2 is not mounted")
	}
	at := mount
	for element := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		at = filepath.Join(at, element)
		made := at
		err := os.Mkdir(made, 0o755) // #nosec G301 -- a folder of the cgroup file system
		switch {
		case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
			skip(t, "make a cgroup: "+err.Error())
		case err != nil && !errors.Is(err, fs.ErrExist):
			t.Fatal(err)
		case err == nil:
			t.Cleanup(func() { // a killed process leaves its cgroup a little later
				await(t, made+" to be removed", func() bool { return !errors.Is(unix.Rmdir(made), unix.EBUSY) })
			})
		}
	}
	directory, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { directory.Close() })
	info, err := directory.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino, directory
}

// skip skips a test that lacks a privilege, unless CLOSETRACE_REQUIRE says that it is
// there.
func skip(t *testing.T, why string) {
	t.Helper()
	if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "bpf") {
		t.Fatal(why)
	}
	t.Skip(why)
}
